from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from packaging.requirements import Requirement

from bench_db.analysis.seed_methods import lance_bench_ttest, lance_bench_z
from benchmarks.rivals.contest import Questions, outcomes
from benchmarks.rivals.methods import METHODS, Rival, RivalFailedError
from benchmarks.rivals.table import figures_table
from benchmarks.suites import Suite
from benchmarks.synthetic import NOISE
from tests.repository import tree

SERIES = [np.array([3.0, 1.0, 2.0]), np.array([5.0]), np.array([1.0, 2.0, 3.0, 4.0])]
# reports the points above a limit
ABOVE = """
from benchmarks.rivals.exchange import serve

def above(values, limit):
    print("chatter")
    return [i for i, x in enumerate(values) if x > limit]

serve(above)
"""
# answers another request
DEAF = """
import sys
from pathlib import Path
from benchmarks.rivals import exchange

exchange.write(Path(sys.argv[2]), [[1]], int, cpu_seconds=0.0)
"""
METADATA = re.compile(r"^# /// script\n(.*?)^# ///$", re.MULTILINE | re.DOTALL)


def rival(folder: Path, program: str, **settings: Any) -> Rival:
    script = folder / "rival.py"
    script.write_text(program)
    return Rival(name="rival", script=script, settings=settings, launcher=(sys.executable,))


class TestExchange:
    """A rival gets unchanged series, and its answers return in the same order."""

    def test_one_process_answers_both_questions(self, tmp_path: Path) -> None:
        found, scanned = rival(tmp_path, ABOVE, limit=2.5).answers(SERIES, SERIES[:1])
        assert (found, scanned) == ([[0], [0], [2, 3]], [[0]])

    def test_series_of_no_change(self, tmp_path: Path) -> None:
        assert rival(tmp_path, ABOVE, limit=9).answers(SERIES, []) == ([[], [], []], [])

    def test_time_is_the_rival_s_own(self, tmp_path: Path) -> None:
        busy = "import time\n" + ABOVE.replace('print("chatter")', "while time.process_time() % 0.02 > 0.01: pass")
        assert 0 < rival(tmp_path, busy, limit=0).cpu_ms() < 1000

    @pytest.mark.parametrize(
        ("program", "why"),
        [
            ("import nowhere", "ModuleNotFoundError: No module named 'nowhere'"),
            ("raise SystemExit(3)", "exit code 3"),
            ("", "no readable answer"),
            (ABOVE.replace("serve(above)", "serve(lambda values, limit: 1 / 0)"), "ZeroDivisionError"),
            (DEAF, "1 answers to 3 series"),
        ],
    )
    def test_no_answer_has_its_reason(self, program: str, why: str, tmp_path: Path) -> None:
        with pytest.raises(RivalFailedError, match=re.escape(why)):
            rival(tmp_path, program, limit=0).answers(SERIES, [])

    def test_a_launcher_that_is_not_there(self, tmp_path: Path) -> None:
        absent = Rival(name="absent", script=tmp_path / "x.py", launcher=(str(tmp_path / "uv"),))
        with pytest.raises(RivalFailedError, match="No such file"):
            absent.answers(SERIES, [])


class TestTable:
    """A failed method has a row with the reason; the others have figures."""

    def test_a_failed_rival(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        def score(found: Any) -> dict[str, float]:
            return {"scan: FDR by series": float(len(found)), "scan: changed series found": float(sum(map(sum, found)))}

        asked = Questions(
            searched={"toy": Suite(size="3 series", series=SERIES, score=lambda found: {"toy": len(found)})},
            scan=Suite(size="2 series", series=SERIES[1:], score=score),
        )
        (tmp_path / "other").mkdir()
        works, fails = rival(tmp_path, ABOVE, limit=2.5), rival(tmp_path / "other", "import nowhere")
        known = outcomes([works], [asked, asked]) | {"broken | rival": outcomes([fails], [asked])["rival"]}
        heading, _, first, second, target = figures_table(known, asked.suites).splitlines()
        assert heading.split() == ["method", "FDR", "power", "CPU", "ms"]
        assert first.split()[:3] == ["rival", "2.000", "5.000"]
        assert second.split()[:6] == ["broken", "|", "rival", "-", "-", "-"]
        assert second.endswith("failed: ModuleNotFoundError: No module named 'nowhere'")
        assert target.split() == ["target", "<=", ".05", ">=", ".85", "<=", ".15"]
        assert "rival: " in capsys.readouterr().err

        lines = figures_table(known, asked.suites, markdown=True).splitlines()
        assert lines[1] == "| --- | ---: | ---: | ---: | --- |"
        assert lines[3].startswith(r"| broken \| rival | - | - | - | failed:")


class TestEnvironments:
    """The first lines of a rival pin its environment; none of its packages is in ours."""

    def pins(self) -> dict[str, list[Requirement]]:
        scripts = {method.script for method in METHODS if isinstance(method, Rival)}
        metadata = {path.name: METADATA.search(path.read_text("utf-8")) for path in scripts}
        assert None not in metadata.values()
        read = {name: tomllib.loads(re.sub("^# ?", "", m[1], flags=re.MULTILINE)) for name, m in metadata.items() if m}
        return {name: [Requirement(text) for text in said["dependencies"]] for name, said in read.items()}

    def test_every_pin_is_exact(self) -> None:
        pins = [pin for of_script in self.pins().values() for pin in of_script]
        assert pins
        assert [str(pin) for pin in pins if [s.operator for s in pin.specifier] != ["=="]] == []

    def test_no_rival_is_a_dependency(self) -> None:
        rivals = {pin.name for of_script in self.pins().values() for pin in of_script} - {"numpy", "scipy"}
        assert rivals == {"apache-otava", "asv", "ruptures", "signal-processing-algorithms"}
        ours = {line.split("==")[0] for line in tree.text(Path("requirements.lock")).splitlines()}
        assert rivals & ours == set()


class TestLanceBench:
    """Each point of a series gets the verdict of the methods of `bench-db compare`, without the minimum effect."""

    @pytest.mark.parametrize("kind", NOISE)
    def test_walk(self, kind: str) -> None:
        pytest.importorskip("scipy")
        from benchmarks.rivals.lance_bench import t_test, z

        values = 100 * np.exp(NOISE[kind](60, np.random.default_rng(5)))
        listed = values.tolist()
        of_t = [(lance_bench_ttest(listed[: i + 4]).p_value or 0.0) < 0.05 for i in range(2, 57)]
        assert t_test(values).tolist() == [False, False, *of_t, False, False, False]
        of_z = [(lance_bench_z(listed[i], listed[:i]).p_value or 0.0) < 0.0455002638963584 for i in range(5, 60)]
        assert z(values).tolist() == [False] * 5 + of_z

    def test_a_constant_series_has_no_alarm_and_its_step_has(self) -> None:
        pytest.importorskip("scipy")
        from benchmarks.rivals.lance_bench import change_points

        assert [change_points(np.full(50, 0.1), method) for method in ("t-test", "z")] == [[], []]
        stepped = np.repeat([0.1, 0.3], 30)
        assert change_points(stepped, "z") == [30]
        assert change_points(stepped, "t-test")[0] in range(27, 31)
