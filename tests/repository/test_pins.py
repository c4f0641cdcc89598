from __future__ import annotations

import json
import re
import tomllib
from itertools import pairwise
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.repository import tree

PIN = re.compile(r"^([\w.-]+==[^\\]+?)(?: \\)?$", re.MULTILINE)
TESTED = ("3.11", "3.12", "3.13")


def project(path: str = "pyproject.toml") -> dict[str, Any]:
    return tomllib.loads(tree.text(Path(path)))


def constraints() -> list[str]:
    pins: list[str] = project()["tool"]["uv"]["constraint-dependencies"]
    return pins


class TestPins:
    """Every installable package is pinned, and every pin has its hashes."""

    def test_the_two_files_say_the_same(self) -> None:
        assert constraints() == PIN.findall(tree.text(Path("requirements.lock")))

    def test_every_pin_is_exact(self) -> None:
        loose = [pin for pin in constraints() if [s.operator for s in Requirement(pin).specifier] != ["=="]]
        assert loose == []

    def test_every_pin_has_hashes(self) -> None:
        lines = tree.text(Path("requirements.lock")).splitlines()
        following = dict(pairwise(lines))
        bare = [line for line in lines if "==" in line and "--hash=sha256:" not in following[line]]
        assert bare == []

    def test_every_declared_dependency_is_pinned(self) -> None:
        root, package = project(), project("packages/bench_db/pyproject.toml")
        groups = [text for group in root["dependency-groups"].values() for text in group]
        extras = [text for extra in package["project"]["optional-dependencies"].values() for text in extra]
        texts = [*package["project"]["dependencies"], *extras, *groups]
        declared = {Requirement(text).name for text in texts} - {"bench-db"}
        pinned = {canonicalize_name(Requirement(pin).name) for pin in constraints()}
        assert {canonicalize_name(name) for name in declared} - pinned == set()

    def test_every_locked_package_is_pinned_to_its_version(self) -> None:
        lock = tomllib.loads((tree.ROOT / "uv.lock").read_text("utf-8"))  # uv writes it before it runs anything
        ours = {"bench-db", "bench-db-workspace"}
        locked = {(p["name"], p["version"]) for p in lock["package"] if p["name"] not in ours}
        pinned = {(r.name, str(r.specifier)[2:]) for r in map(Requirement, constraints())}
        assert locked == pinned

    def test_no_python_gets_two_versions(self) -> None:
        for version in TESTED:
            environment = {"python_version": version, "python_full_version": f"{version}.0"}
            active = [r.name for r in map(Requirement, constraints()) if not r.marker or r.marker.evaluate(environment)]
            assert len(active) == len(set(active))

    def test_what_is_tested_is_what_is_declared(self) -> None:
        workflow = tree.text(Path(".github/workflows/check.yml"))
        assert f"python: {json.dumps(TESTED)}" in workflow
        declared = {
            project(f"{folder}pyproject.toml")["project"]["requires-python"] for folder in ("", "packages/bench_db/")
        }
        assert declared == {f">={TESTED[0]}"}


class TestNeutralLock:
    """No committed file contains an address or overrides the pins."""

    def test_no_lock_of_uv(self) -> None:
        assert [str(path) for path in tree.paths() if path.name in {"uv.lock", "uv.toml"}] == []

    def test_requirements_lock_is_pins_and_hashes_alone(self) -> None:
        lines = tree.text(Path("requirements.lock")).splitlines()
        assert [
            line for line in lines if not re.match(r"^(?:[\w.-]+==|    --hash=sha256:[0-9a-f]{64}(?: \\)?$)", line)
        ] == []

    def test_the_npm_lock_names_no_place(self) -> None:
        assert "resolved" not in tree.text(Path(".ci/package-lock.json"))
