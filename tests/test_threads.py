"""The number of threads, and the limits that it keeps."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from bench_db import threads
from tests.support.needs import lacking

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def _nothing_asked() -> Iterator[None]:
    before = list(threads._asked)
    threads._asked.clear()
    yield
    threads._asked[:] = before


@pytest.mark.usefixtures("_nothing_asked")
class TestThreads:
    """All cores that the process may use, or the number that was asked for."""

    def test_asked_for(self) -> None:
        assert threads.threads() == threads.cores()
        threads.use(7)
        threads.use(3)
        assert threads.threads() == 3

    def test_affinity(self) -> None:
        if not hasattr(os, "sched_setaffinity"):
            lacking("only Linux binds a process to cores")
        before = os.sched_getaffinity(0)
        os.sched_setaffinity(0, {min(before)})
        try:
            assert threads.cores() == 1
        finally:
            os.sched_setaffinity(0, before)


class TestQuota:
    """The smallest limit of the own cgroup and of those above it, in whole cores."""

    @pytest.mark.parametrize(
        ("above", "own", "cores"),
        [
            ("max 100000", "max 100000", None),
            ("max 100000", "150000 100000", 2),
            ("200000 100000", "800000 100000", 2),
            ("max 100000", "5000 100000", 1),
            ("max 100000", "", None),
            ("max 100000", "1 0", None),
        ],
    )
    def test_limits(self, tmp_path: Path, above: str, own: str, cores: int | None) -> None:
        group = tmp_path / "root" / "ci" / "job"
        group.mkdir(parents=True)
        (group.parent / "cpu.max").write_text(above)
        (group / "cpu.max").write_text(own)
        (tmp_path / "cgroup").write_text("1:name=systemd:/x\n0::/ci/job\n")
        assert threads.quota(tmp_path / "cgroup", tmp_path / "root") == cores

    def test_a_container_sees_its_own_group_as_the_root(self, tmp_path: Path) -> None:
        (tmp_path / "cpu.max").write_text("300000 100000")
        (tmp_path / "cgroup").write_text("0::/\n")
        assert threads.quota(tmp_path / "cgroup", tmp_path) == 3

    def test_no_cgroup(self, tmp_path: Path) -> None:
        assert threads.quota(tmp_path / "missing", tmp_path) is None
        (tmp_path / "cgroup").write_text("4:cpu:/x\n")
        assert threads.quota(tmp_path / "cgroup", tmp_path) is None
