from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from bench_db.errors import PluginError, UnreadableOutputError
from bench_db.ingest import Adapter, Content, Measurement, Reading, Skip, SkipReason, detect
from bench_db.ingest.adapter import adapter_of
from bench_db.model import SummaryValues
from bench_db.plugins import FORMATS, Loaded, Plugin
from tests.ingest.samples import RECALL
from tests.ingest.support import REPOSITORY
from tests.support.packages import declaring, install

if TYPE_CHECKING:
    from collections.abc import Callable

NAN, INFINITY = float("nan"), float("inf")
CONTENT = Content(path=Path("f.txt"), text=b"x")
GOOD = Measurement(benchmark_name="a", values=[1.0, 2.0])  # type: ignore[arg-type] # any sequence of numbers
BROKEN = "raise RuntimeError('half installed')"


def plugin(value: object, name: str = "mine") -> Plugin:
    return Plugin(group=FORMATS, name=name, package="other-tool 1.2", value=value)


def adapter(read: Callable[[Content], Any], sniff: Callable[[bytes], Any] = bool, **fields: Any) -> Adapter:
    """Return the guarded adapter of an object that is like one."""
    like = {"name": "mine", "source": "mine/1", "summary": "of mine", "sniff": sniff, "read": read, **fields}
    return adapter_of(plugin(SimpleNamespace(**like)))


def readings(returned: object) -> tuple[Reading, ...]:
    read = adapter(lambda _: returned).read(CONTENT)
    assert isinstance(read, tuple)
    return read


class TestAdapterOf:
    """An object of another package is an adapter if it has the attributes of one."""

    def test_an_adapter_or_anything_like_one(self) -> None:
        own = Adapter(name="mine", source="mine/1", summary="s", read=lambda _: Reading(source="mine/1"), sniff=bool)
        for value in (own, SimpleNamespace(**{f: getattr(own, f) for f in own.__slots__})):
            made = adapter_of(plugin(value))
            assert (made.name, made.source, made.summary) == ("mine", "mine/1", "s")
            assert made.sniff is not None
            assert (made.sniff(b""), made.sniff(b"x")) == (False, True)

    @pytest.mark.parametrize(
        ("value", "reason"),
        [
            (5, "of type int, lacks a text `name`, a text `source`, a text `summary`, a callable `sniff`, a callable"),
            (None, "of type NoneType, lacks a text `name`"),
            (
                SimpleNamespace(name="mine", source="", summary="s", sniff=bool, read=5),
                "a text `source`, a callable `read`",
            ),
            (Adapter(name="mine", source="s", summary="s", read=bool), "lacks a callable `sniff`"),  # type: ignore[arg-type]
            (Adapter(name="other", source="s", summary="s", read=bool, sniff=bool), "is 'other', which must equal"),  # type: ignore[arg-type]
        ],
    )
    def test_anything_else_is_refused(self, value: object, reason: str) -> None:
        with pytest.raises(PluginError, match=r"format 'mine' of the installed package other-tool 1.2: ") as caught:
            adapter_of(plugin(value))
        assert reason in str(caught.value)


class TestGuard:
    """Every exception of another package becomes one error that names it; an error of a file is not changed."""

    def test_a_format_that_cannot_be_asked_is_named_when_another_reads_the_file(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        def fails(_: bytes) -> bool:
            raise KeyError

        broken, good = adapter(lambda _: None, fails), adapter(lambda _: None, lambda edges: edges == b"words of mine")
        others: Loaded[Adapter] = Loaded(usable={"broken": broken, "mine": good})
        monkeypatch.setattr("bench_db.ingest.registry._of_others", lambda: others)
        (tmp_path / "f").write_bytes(b"words of mine")
        assert detect(tmp_path / "f") is good
        assert "is read as mine, but another format could not be asked" in caplog.text
        assert "'sniff' failed: KeyError" in caplog.text

    def test_sniff_fails(self) -> None:
        def sniff(edges: bytes) -> bool:
            return edges[5] == 1

        guarded = adapter(lambda _: Reading(source="s"), sniff).sniff
        assert guarded is not None
        with pytest.raises(PluginError, match=r"other-tool 1.2: 'sniff' failed: IndexError: index out of range"):
            guarded(b"x")

    def test_read_fails(self) -> None:
        with pytest.raises(PluginError, match=r"'read' failed on f.txt: ZeroDivisionError: division by zero") as caught:
            adapter(lambda _: 1 / 0).read(CONTENT)
        assert isinstance(caught.value.__cause__, ZeroDivisionError)

    def test_read_refuses_the_file(self) -> None:
        def read(content: Content) -> Reading:
            raise UnreadableOutputError("is not mine", file=str(content.path), line=3)  # noqa: EM101, TRY003

        with pytest.raises(UnreadableOutputError, match=r"f.txt:3: is not mine"):
            adapter(read).read(CONTENT)

    @pytest.mark.parametrize("returned", [None, [], (), {}, "text", (Reading(source="s"), 5)])
    def test_read_returns_something_else(self, returned: object) -> None:
        with pytest.raises(PluginError, match=r"'read' returned .* for f.txt, not a Reading or a tuple of Readings"):
            readings(returned)

    @pytest.mark.parametrize(
        ("measurement", "mistake"),
        [
            (5, "that is no Measurement"),
            (replace(GOOD, benchmark_name=None), "whose 'benchmark_name' is no str"),  # type: ignore[arg-type]
            (replace(GOOD, units=None), "whose 'units' is no str"),  # type: ignore[arg-type]
            (replace(GOOD, tags={"n": 5}), "whose 'tags' have a name or a value that is no str"),  # type: ignore[dict-item]
            (replace(GOOD, tags=[("n", "5")]), "whose 'tags' is no Mapping"),  # type: ignore[arg-type]
            (replace(GOOD, direction="up"), "whose 'direction' is no Direction"),  # type: ignore[arg-type]
            (replace(GOOD, metadata="{"), "whose 'metadata' is no JSON text"),
        ],
    )
    def test_a_mistake_of_the_package(self, measurement: Any, mistake: str) -> None:
        with pytest.raises(PluginError, match=re.escape(f"'read' returned a measurement {mistake}")):
            readings(Reading(source="s", measurements=(GOOD, measurement)))

    @pytest.mark.parametrize(
        ("bad", "reason"),
        [
            (replace(GOOD, values=[1.0, NAN]), SkipReason.NOT_FINITE),  # type: ignore[arg-type]
            (replace(GOOD, upper=INFINITY), SkipReason.NOT_FINITE),
            (replace(GOOD, values=[], summary=SummaryValues(median=NAN, mean=1.0)), SkipReason.NOT_FINITE),  # type: ignore[arg-type]
            (replace(GOOD, values=["fast"]), SkipReason.NOT_A_NUMBER),  # type: ignore[arg-type]
            (replace(GOOD, values=[10**400]), SkipReason.OUT_OF_RANGE),  # type: ignore[arg-type]
            (replace(GOOD, benchmark_name=""), SkipReason.NO_NAME),
            (replace(GOOD, values=()), SkipReason.NO_STATISTICS),  # type: ignore[arg-type]
            (replace(GOOD, error="failed"), SkipReason.NO_STATISTICS),
        ],
    )
    def test_a_measurement_that_cannot_be_stored_is_skipped(self, bad: Measurement, reason: SkipReason) -> None:
        known = Skip(benchmark="k", reason=SkipReason.NO_NAME, detail="d")
        [reading] = readings(Reading(source="s", measurements=(bad, GOOD), skips=(known,)))
        assert [m.benchmark_name for m in reading.measurements] == ["a"]
        assert [skip.reason for skip in reading.skips] == [SkipReason.NO_NAME, reason]

    def test_statistics_without_a_count_are_of_one_sample(self) -> None:
        stated = replace(GOOD, values=(), summary=SummaryValues(median=1.0, mean=1.0))  # type: ignore[arg-type]
        [reading] = readings(Reading(source="s", measurements=(stated, GOOD)))
        assert [(m.n, list(m.values)) for m in reading.measurements] == [(1, []), (0, [1.0, 2.0])]


def fenced(kind: str) -> str:
    """Return the block of a kind in the section of docs/formats.md about formats of other packages."""
    section = (REPOSITORY / "docs" / "formats.md").read_text("utf-8").partition("\n## A format of your own\n")[2]
    blocks = re.findall(rf"^```{kind}\n(.*?)^```", section, re.MULTILINE | re.DOTALL)
    assert len(blocks) == 1
    return str(blocks[0])


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """Create a directory with the package in the documentation and the file it reads."""
    install(tmp_path / "site", fenced("toml"), bench_db_stopwatch=fenced("python"))
    (tmp_path / "laps.txt").write_text(fenced("text"))
    return tmp_path


def run(directory: Path, command: str, *, plugins: bool = True) -> subprocess.CompletedProcess[str]:
    """Run the real command in a directory, with the packages installed there."""
    program, *arguments = shlex.split(command)
    return subprocess.run(
        [Path(sys.executable).with_name(program), *arguments],
        cwd=directory,
        env={
            **{
                name: value
                for name, value in os.environ.items()
                if not name.startswith(("BENCH_DB", "LANCE", "GITHUB"))
            },
            "PYTHONPATH": str(directory / "site") if plugins else "",
            "PYTHONWARNINGS": "error",
        },
        capture_output=True,
        encoding="utf-8",
        timeout=120,
        check=False,
    )


PUBLISH = (
    "bench-db publish laps.txt --dut-name lib --dut-version 1.0 --dut-timestamp 1 --test-bed-name ci --store results"
)


class TestAnotherPackage:
    """A format of another author works like one of bench_db, without a change in bench_db."""

    def test_the_documented_example(self, installed: Path) -> None:
        line, *printed = fenced("console").splitlines()
        done = run(installed, line.removeprefix("$ "))
        said = [
            one for one in done.stdout.splitlines() if "does not name a machine" not in one
        ]  # it names this machine
        assert (done.returncode, said) == (0, printed), done.stderr
        latest = run(installed, "bench-db latest --store results --output json", plugins=False)
        rows = json.loads(latest.stdout)  # reading needs no package
        assert [(row["benchmark_name"], row["n"], row["median"]) for row in rows] == [
            ("parse", 3, 12_500_000.0),
            ("render", 3, 3_250_000.0),
        ]
        again = run(
            installed, f"{PUBLISH.replace('--dut-timestamp 1', '--dut-timestamp 1700000000').replace(' ci', ' ci-1')}"
        )
        assert "0 new, 2 unchanged" in again.stdout

    @pytest.mark.slow
    def test_by_its_name_and_in_a_directory(self, installed: Path) -> None:
        (installed / "out").mkdir()
        (installed / "laps.txt").rename(installed / "out" / "laps.txt")
        for flags in ("out", "out/laps.txt --format stopwatch", "out --format stopwatch"):
            done = run(installed, PUBLISH.replace("laps.txt", flags))
            assert (done.returncode, "laps.txt: stopwatch, " in done.stdout) == (0, True), done.stderr

    def test_a_suite_of_the_configuration(self, installed: Path) -> None:
        code = """
from bench_db.app.backfill import check_suites
from bench_db.errors import UnreadableOutputError
from bench_db.schedule.config import Config, Project, Suite
for name in ("stopwatch", "stopwach"):
    try:
        check_suites(Config(project=Project(name="p"), suite={"s": Suite(benchmark="b", stdout="f", format=name)}))
    except UnreadableOutputError as error:
        print(error)
"""
        (installed / "ask.py").write_text(code)
        done = run(installed, "python ask.py")
        assert done.stdout.startswith("bench-db.toml: no format is called 'stopwach'; known: auto, criterion, "), done
        assert done.stdout.rstrip().endswith(", dbpedia, stopwatch at suite.s.format")

    @pytest.mark.slow
    def test_a_broken_package_is_named_where_it_matters(self, installed: Path) -> None:
        install(installed / "site", declaring(FORMATS, "torn", "torn:adapter"), torn=BROKEN)
        why = "format 'torn' of the installed package other-tool 1.2: loading torn:adapter failed: RuntimeError: half installed"
        assert run(installed, PUBLISH).returncode == 0
        (installed / "recall.txt").write_text(RECALL)
        assert run(installed, PUBLISH.replace("laps.txt", "recall.txt")).returncode == 0
        asked = run(installed, f"{PUBLISH} --format torn")
        assert (asked.returncode, asked.stderr.count(why), asked.stdout) == (2, 1, "")
        (installed / "odd.txt").write_text("hello")
        odd = run(installed, PUBLISH.replace("laps.txt", "odd.txt"))
        assert (odd.returncode, odd.stderr.count(why), len(odd.stderr.splitlines())) == (2, 1, 1)
        assert "Upgrade or uninstall the package" in odd.stderr

    @pytest.mark.slow
    def test_names_of_bench_db_stay_its_own(self, installed: Path) -> None:
        install(installed / "site", declaring(FORMATS, "dbpedia", "torn:adapter"), torn=BROKEN)
        (installed / "recall.txt").write_text(RECALL)
        for flags in ("recall.txt", "recall.txt --format dbpedia"):
            assert run(installed, PUBLISH.replace("laps.txt", flags)).returncode == 0
        unknown = run(installed, f"{PUBLISH} --format none")
        assert "other-tool 1.2: bench_db has its own of that name" in unknown.stderr
