from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from bench_db.errors import PluginError, StoreUnavailableError, UserError
from bench_db.store import schemes
from bench_db.store.engine import locate
from tests.support.packages import declaring, install

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

GROUP = "bench_db.places"
LAB = """
from dataclasses import dataclass
from typing import ClassVar

import bench_db


@dataclass(frozen=True, kw_only=True)
class Lab(bench_db.Place):
    scheme: ClassVar[str] = "lab"
    group: str

    @classmethod
    def from_address(cls, address):
        return cls(group=address.host)

    def collection_address(self):
        return f"{__import__('os').environ['LAB']}/{self.group}"
"""


@pytest.fixture
def register(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Return `schemes.register`, whose registrations end with the test."""
    monkeypatch.setattr(schemes, "_RESOLVERS", {})
    return schemes.register


def child(site: Path, *command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a command of bench_db in a process that has the packages of a directory installed."""
    return subprocess.run(
        [sys.executable, "-c", "from bench_db.cli import main; main()", *command],
        env={**os.environ, "PYTHONPATH": str(site), **environment},
        capture_output=True,
        text=True,
        check=False,
    )


class TestResolved:
    """An address of a registered scheme is opened as the directory or the address in S3 that its resolver returns."""

    def test_paths_and_built_in_schemes_are_themselves(self, register: Callable[..., None]) -> None:
        register("file", lambda _: pytest.fail("a built-in scheme was resolved"))
        for address in ("a/b", "/a:b", "file:///a", "s3://a/b", "S3://a/b"):
            assert schemes.resolved(address) == address

    def test_registered(self, register: Callable[..., None]) -> None:
        register("lab", lambda address: f"/labs/{address.removeprefix('lab://')}")
        register("cloud", lambda _: "s3://bucket/prefix")
        assert str(locate("lab://gpu/x")) == "/labs/gpu/x"
        assert str(locate("cloud://")) == "s3://bucket/prefix"

    @pytest.mark.parametrize("address", ["nowhere://a", "://a", "my_scheme://a", "/a://b"])
    def test_unknown(self, register: Callable[..., None], address: str) -> None:
        register("lab", str)
        with pytest.raises(
            UserError, match=r"use a directory, file:///path or s3://bucket/prefix; other schemes: lab$"
        ):
            locate(address)

    def test_postgresql_is_no_place_of_stores(self) -> None:
        with pytest.raises(UserError, match=r"'bench-db mirror' copies a store into PostgreSQL$") as error:
            locate("postgresql://me:hunter2@localhost/db?file_root=/data")
        assert "hunter2" not in str(error.value)

    def test_a_resolver_that_fails(self, register: Callable[..., None]) -> None:
        def unavailable(_: str) -> str:
            message = "the VPN is down"
            raise StoreUnavailableError(message)

        register("lab", {"": ""}.__getitem__)
        register("far", unavailable)
        with pytest.raises(UserError, match=r"the place of lab:// failed with KeyError: 'lab://a'; check the address"):
            locate("lab://a")
        with pytest.raises(StoreUnavailableError, match="the VPN is down"):
            locate("far://a")

    def test_a_resolver_that_leads_on(self, register: Callable[..., None]) -> None:
        register("lab", lambda address: address)
        with pytest.raises(
            UserError, match=r"gives an address of lab://; it must be a directory or s3://bucket/prefix"
        ):
            locate("lab://a")

    def test_an_address_that_cannot_be_split(self) -> None:
        with pytest.raises(UserError, match="cannot be split into its parts"):
            locate("s3://[bucket/x")

    def test_errors_have_no_password(self) -> None:
        with pytest.raises(UserError, match=r"^file://\*\*\*@host/x: a file address has three slashes"):
            locate("file://me:hunter2@host/x")


class TestLoad:
    """A package declares a scheme as an entry point, and the command line opens its addresses."""

    def test_a_package(self, tmp_path: Path) -> None:
        site = tmp_path / "site"
        install(site, declaring(GROUP, "lab", "lab:Lab"), lab=LAB)
        done = child(site, "store", "init", "--store", "lab://gpu", LAB=str(tmp_path))
        assert (done.returncode, done.stdout) == (0, f"store ready at {tmp_path}/gpu\n"), done.stderr
        assert (tmp_path / "gpu/results.lance").is_dir()
        latest = child(site, "latest", "--store", "lab://gpu", LAB=str(tmp_path))
        assert (latest.returncode, latest.stdout) == (0, "no results yet\n"), latest.stderr
        unknown = child(site, "latest", "--store", "labs://gpu", LAB=str(tmp_path))
        assert (unknown.returncode, unknown.stderr.count("\n")) == (2, 1)
        assert "other schemes: lab" in unknown.stderr

    @pytest.mark.parametrize(
        ("name", "code", "reason"),
        [
            ("other", LAB, "importing it did not define a subclass of bench_db.Place with the scheme 'other'"),
            ("lab", "1 / 0", "loading lab:Lab failed: ZeroDivisionError: division by zero"),
        ],
    )
    def test_a_broken_package(self, tmp_path: Path, name: str, code: str, reason: str) -> None:
        site = tmp_path / "site"
        install(site, declaring(GROUP, name, "lab:Lab"), lab=code)
        done = child(site, "latest", "--store", f"{name}://gpu", LAB=str(tmp_path))
        assert (done.returncode, done.stdout) == (PluginError.exit_code, "")
        assert f"place {name!r} of the installed package other-tool 1.2: {reason}" in done.stderr
