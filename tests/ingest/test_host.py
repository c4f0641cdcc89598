from __future__ import annotations

import platform
from pathlib import Path

import pytest

from bench_db.ingest.host import cpu_of, stable_name, this_machine
from bench_db.model import TestBed
from tests.support.needs import needs_file


class TestStableName:
    """A host name of one job never identifies a test bed."""

    @pytest.mark.parametrize(
        "node",
        ["0123456789ab", "deadbeefcafe", "fv-az123-456", "fv-az1", "runnervm1a2b", "runner-abc-project-1-concurrent-0",
         "Mac-1700000000000.local", "ip-10-0-0-1.ec2.internal", "buildkitsandbox", "localhost", "localhost.localdomain", ""],
    )  # fmt: skip
    def test_throw_away(self, node: str) -> None:
        assert stable_name(node, "Linux", "x86_64") == "Linux-x86_64"

    @pytest.mark.parametrize(
        "node", ["desk", "bench-01", "Corgi.local", "0123456789a", "0123456789abc", "vm", "lab.fv-az"]
    )
    def test_kept(self, node: str) -> None:
        assert stable_name(node, "Linux", "x86_64") == node

    def test_nothing_known(self) -> None:
        assert stable_name("", "", "") == "unknown"


class TestCpu:
    """The CPU is the product name, or on ARM the name in the kernel."""

    @pytest.mark.parametrize(
        ("cpuinfo", "cpu"),
        [
            ("processor\t: 0\nmodel\t\t: 25\nmodel name\t: AMD EPYC 7763 64-Core\nstepping: 1\n", "AMD EPYC 7763 64-Core"),
            ("processor : 0\nCPU implementer\t: 0x41\nCPU variant\t: 0x3\nCPU part\t: 0xd0c\n", "ARM implementer 0x41 part 0xd0c variant 0x3"),
            ("processor : 0\nCPU part : 0xd08\nModel\t\t: Raspberry Pi 4 Model B Rev 1.4\n", "Raspberry Pi 4 Model B Rev 1.4"),
            ("cpu\t\t: POWER9, altivec supported\n", "POWER9, altivec supported"),
            ("no colons at all", ""),
            ("", ""),
        ],
    )  # fmt: skip
    def test_linux(self, cpuinfo: str, cpu: str) -> None:
        assert cpu_of(cpuinfo) == cpu


class TestThisMachine:
    """Describing the machine twice gives equal beds."""

    def test_is_stable_and_complete(self) -> None:
        bed = this_machine()
        assert bed == this_machine()
        assert bed.cpu
        assert bed.name == stable_name(platform.node(), platform.system(), platform.machine())
        assert bed.os == f"{platform.system()} {platform.release()}"

    def test_memory_is_that_of_the_kernel(self) -> None:
        needs_file("/proc/meminfo")
        total = Path("/proc/meminfo").read_text().split("MemTotal:")[1].split()[0]
        assert this_machine().memory_gb == int(total) * 1024 // 2**30

    def test_named_and_dated(self) -> None:
        bed = this_machine("ci-1", now=5)
        assert (bed.name, bed.created_at) == ("ci-1", 5)
        assert isinstance(bed, TestBed)
