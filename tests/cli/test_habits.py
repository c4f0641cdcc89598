"""Habits of the command line: global options, near names, answers without a match, dates, order of names."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
import termios
from contextlib import suppress
from pathlib import Path

import pytest

from bench_db.cli.main import SECTIONS, VERBS
from bench_db.store.database import Database, connect
from bench_db.store.tables import RESULTS_TABLE
from tests.cli.conftest import bench_db, bench_db_process
from tests.cli.kinds import entry, publish_all

NAMES = [f"suite/test_speed.py::test_{kind}[{size}]" for kind in ("insert", "query") for size in (100, 9, 10)]
IN_ORDER = [f"suite/test_speed.py::test_{kind}[{size}]" for kind in ("insert", "query") for size in (9, 10, 100)]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Database:
    """Three commits of six benchmarks."""
    made = connect(tmp_path_factory.mktemp("habits") / "store", create=True)
    publish_all(made, [entry(number, dict.fromkeys(NAMES, 100.0 + number)) for number in range(3)])
    return made


@pytest.fixture(scope="module")
def moved(tmp_path_factory: pytest.TempPathFactory) -> Database:
    """Twelve commits of one level, and one that is slower."""
    made = connect(tmp_path_factory.mktemp("habits") / "moved", create=True)
    levels = [(100.0 + number % 3) * (1.5 if number == 12 else 1) for number in range(13)]
    publish_all(made, [entry(number, dict.fromkeys(NAMES, level)) for number, level in enumerate(levels)])
    return made


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Database:
    return connect(tmp_path_factory.mktemp("habits") / "empty", create=True)


class TestGlobalOptions:
    """They are accepted before and after a verb and a sub-verb, and the one given last counts."""

    @pytest.mark.parametrize(
        "words",
        [
            ["--store", "{}", "--output", "json", "store", "info"],
            ["store", "--store", "{}", "--output", "json", "info"],
            ["store", "info", "--store", "{}", "--output", "json"],
            ["--store", "{}", "store", "info", "--output", "json"],
            ["--store", "none", "--output", "text", "store", "--store", "{}", "info", "--output", "json"],
            ["--store", "none", "store", "--output", "json", "info", "--store", "{}"],
            ["store", "info", "--store", "none", "--store", "{}", "--output", "text", "--output", "json"],
        ],
        ids=" ".join,
    )
    def test_any_place(self, store: Database, words: list[str]) -> None:
        answer = bench_db(*(word.format(store.uri) for word in words))
        assert answer.document["uri"] == store.uri

    @pytest.mark.parametrize("words", [["--output", "json", "latest"], ["latest", "--output", "json"]], ids=" ".join)
    def test_the_environment_names_the_store(self, store: Database, words: list[str]) -> None:
        assert len(bench_db(*words, BENCH_DB_URI=store.uri).document) == 6

    def test_an_option_beats_the_environment(self, store: Database) -> None:
        assert bench_db("--store", store.uri, "latest", BENCH_DB_URI="nowhere").code == 0

    @pytest.mark.parametrize(
        "words", [["--debug", "latest"], ["latest", "--debug"], ["store", "--debug", "info"]], ids=" ".join
    )
    def test_debug(self, tmp_path: Path, words: list[str]) -> None:
        answer = bench_db(*words, "--store", tmp_path / "none")
        assert (answer.code, "Traceback" in answer.err) == (3, True)

    def test_a_value_that_looks_like_an_option_is_a_value(self, store: Database) -> None:
        answer = bench_db("latest", "--benchmark", "--debug", "--store", store.uri)
        assert "Traceback" not in answer.err
        assert answer.code == 2

    @pytest.mark.parametrize("words", [["demo"], ["--store", "x", "demo"]], ids=" ".join)
    def test_a_verb_without_a_store_refuses_one(self, words: list[str], tmp_path: Path) -> None:
        answer = bench_db(*words, tmp_path / "new", *(["--store", "x"] if words == ["demo"] else []))
        assert answer.code == 2
        assert "bench-db demo does not use --store; leave it out" in answer.err
        assert not (tmp_path / "new").exists()

    @pytest.mark.parametrize(
        "words",
        [
            ["suites"],
            ["formats"],
            ["bisect", "a", "b", "--benchmark", "x"],
            ["pairs", "a"],
            ["store", "copy", "a", "b"],
            ["pr", "merge", ".", "merged"],
            ["pr", "process-comment", "--payload-json", "{}"],
            ["pr", "dispatch"],
            ["pr", "comment", "1", "--body", "x"],
        ],
        ids=" ".join,
    )
    def test_a_verb_that_does_not_use_the_store_refuses_it(self, words: list[str]) -> None:
        answer = bench_db(*words, "--store", "x")
        assert (answer.code, answer.out) == (2, "")
        assert " does not use --store; leave it out" in answer.err

    def test_they_are_documented_once(self) -> None:
        whole, verb, inner = (bench_db(*words, "--help").out for words in ([], ["latest"], ["store", "info"]))
        assert all(f"  {name}" in whole for name in ("--store URI", "--output [text|json]", "--verbose", "--debug"))
        for text in (verb, inner):
            assert "--store URI" not in text
            assert "see 'bench-db --help'" in " ".join(text.split())


class TestSections:
    """The help lists each verb once, in sections."""

    def test_every_verb_is_in_one_section(self) -> None:
        assert sum(map(len, SECTIONS.values())) == len(VERBS)
        out = bench_db("--help").out
        places = [out.index(f"\n{title}:\n") for title in SECTIONS]
        assert places == sorted(places)


class TestNearNames:
    """A misspelt verb, sub-verb or option is answered with near ones."""

    @pytest.mark.parametrize(
        ("words", "near"),
        [
            (["ltest"], "'latest'"),
            (["store", "optimise"], "'optimize'"),
            (["baseline", "sett"], "'set'"),
            (["latest", "--benchmrk", "x"], "'--benchmark'"),
            (["latest", "--stor", "x"], "'--store'"),
            (["--otput", "json", "latest"], "'--output'"),
        ],
        ids=str,
    )
    def test_suggested(self, words: list[str], near: str) -> None:
        answer = bench_db(*words)
        assert answer.code == 2
        assert near in answer.err.partition("Did you mean")[2]

    def test_nothing_alike(self) -> None:
        assert "No such command 'xyzzy'." in bench_db("xyzzy").err


class TestNoMatch:
    """Conditions that nothing matches are an error that names what there is; the JSON document is written all the same."""

    @pytest.mark.parametrize(
        "words",
        [
            ["trend", "*no such*"],
            ["detect", "*no such*"],
            *[[verb, "--benchmark", "*no such*"] for verb in ("latest", "summary", "noise", "scan", "compare latest")],
        ],
        ids=" ".join,
    )
    def test_a_benchmark(self, store: Database, words: list[str]) -> None:
        asked = [word for words_ in words for word in (words_.split() if words_.startswith("compare") else [words_])]
        answer = bench_db(*asked, "--store", store.uri)
        assert (answer.code, answer.out) == (2, "")
        assert "no results of '*no such*'; the nearest names are: suite/test_speed.py::test_" in answer.err
        assert answer.err.endswith(", and 1 more\n")

    @pytest.mark.parametrize("words", [["trend", "test_qeury[10]"], ["latest", "--benchmark", "*test_qeury[10]*"]])
    def test_the_nearest_comes_first(self, store: Database, words: list[str]) -> None:
        answer = bench_db(*words, "--store", store.uri)
        assert "names are: suite/test_speed.py::test_query[10], " in answer.err

    @pytest.mark.parametrize("verb", ["latest", "summary", "noise"])
    @pytest.mark.parametrize(
        ("condition", "value"), [("--suite", "nope"), ("--metric", "tiem"), ("--tag", "k=1"), ("--since", "2200-01-01")]
    )
    def test_another_condition(self, store: Database, verb: str, condition: str, value: str) -> None:
        answer = bench_db(verb, condition, value, "--store", store.uri)
        assert (answer.code, answer.out, answer.err.count("\n")) == (2, "", 1)

    @pytest.mark.parametrize(
        ("words", "document"),
        [
            (["latest", "--suite", "nope"], []),
            (["summary", "--suite", "nope"], []),
            (["trend", "nope"], []),
            (
                ["noise", "--suite", "nope"],
                {"history": "the main history (branch main)", "noise": [], "schema_version": 1},
            ),
            (["artifact", "list", "--kind", "log"], {"artifacts": [], "schema_version": 1}),
        ],
        ids=str,
    )
    def test_json_is_one_document(self, store: Database, words: list[str], document: object) -> None:
        answer = bench_db(*words, "--store", store.uri, "--output", "json")
        assert answer.code == 2
        found = json.loads(answer.out)
        assert found == ({"schema_version": found["schema_version"], **document} if isinstance(document, dict) else [])
        assert answer.err.startswith("bench-db: no ")

    @pytest.mark.parametrize("verb", ["latest", "summary", "noise", "scan", "finding list", "artifact list"])
    def test_an_empty_store_without_conditions_is_no_error(self, empty: Database, verb: str) -> None:
        answer = bench_db(*verb.split(), "--store", empty.uri)
        assert (answer.code, answer.err) == (0, "")
        assert answer.out.strip()

    @pytest.mark.parametrize("words", [["latest", "--suite", "s"], ["trend", "f"]], ids=" ".join)
    def test_an_empty_store_with_conditions(self, empty: Database, words: list[str]) -> None:
        answer = bench_db(*words, "--store", empty.uri)
        assert (answer.code, answer.err) == (2, "bench-db: the store has no results yet; publish some first\n")

    @pytest.mark.parametrize(
        "words", [["latest"], ["latest", "--suite", "s"], ["scan"], ["summary"], ["check"], ["trend", "f"]]
    )
    def test_published_runs_of_which_none_counts(self, tmp_path: Path, words: list[str]) -> None:
        """An answer without results says that runs were published, and what has become of theirs."""
        made = connect(tmp_path / "store", create=True)
        publish_all(made, [entry(number, {"f": 100.0}) for number in range(3)])
        first, *others = made.runs().collect()["run_key"]
        made.exclude([first], reason="wrong", lifted=False, at=1_800_000_000, by="")
        for key in others:
            made._engine.delete(RESULTS_TABLE, f"run_key = {key}")
        answer = bench_db(*words, "--store", made.uri)
        assert answer.code == 2
        assert answer.err.endswith(
            "none of the published runs (3) has results that count: 1 excluded ('bench-db run list' says why), 2 without results: they "
            "are being published, or the store has lost them (publish the files again)\n"
        )

    def test_no_finding_in_a_state_is_no_error(self, store: Database) -> None:
        answer = bench_db("finding", "list", "--state", "open", "--store", store.uri)
        assert (answer.code, answer.err) == (0, "")
        assert answer.out.splitlines() == [
            "no finding is open; 'bench-db finding list' shows all",
            "no scan is recorded: 'bench-db scan' looks for changes",
        ]

    def test_a_state_that_is_none(self, store: Database) -> None:
        answer = bench_db("finding", "list", "--state", "opne", "--store", store.uri)
        assert answer.code == 2
        assert "the states are open, " in answer.err


class TestDates:
    """`--since` and `--until` take dates as people write them; an error names the flag and gives an example."""

    @pytest.mark.parametrize("text", ["2 weeks ago", "yesterday", "2020-01-31", "1700000000", "2020-01-31T12:00"])
    def test_accepted(self, store: Database, text: str) -> None:
        answer = bench_db("latest", "--since", "2001-01-01", "--until", text, "--store", store.uri, "--output", "json")
        assert answer.code in {0, 2}
        assert "not a date" not in answer.err

    @pytest.mark.parametrize("flag", ["--since", "--until"])
    @pytest.mark.parametrize(
        ("text", "said"),
        [("soon", "examples: 2026-01-31, "), ("1769860800000", "milliseconds"), ("2026", "2026-01-01")],
    )
    def test_refused(self, store: Database, flag: str, text: str, said: str) -> None:
        answer = bench_db("latest", flag, text, "--store", store.uri)
        assert (answer.code, answer.out) == (2, "")
        assert answer.err.startswith(f"bench-db: {flag} {text}: ")
        assert said in answer.err


class TestOrder:
    """Names are in natural order wherever they decide the order, in JSON too."""

    @pytest.mark.parametrize("verb", ["latest", "summary"])
    def test_listings(self, store: Database, verb: str) -> None:
        rows = bench_db(verb, "--store", store.uri, "--output", "json").document
        assert [row["benchmark_name"] for row in rows] == IN_ORDER
        lines = bench_db(verb, "--store", store.uri).out.splitlines()[2:]
        assert [line.split()[0] for line in lines] == IN_ORDER

    def test_trend(self, store: Database) -> None:
        rows = bench_db("trend", "*", "--last", "1", "--store", store.uri, "--output", "json").document
        assert [row["benchmark_name"] for row in rows] == IN_ORDER

    def test_comparisons(self, store: Database) -> None:
        lines = bench_db("compare", "latest", "--baseline", "last:2", "--all", "--store", store.uri).out.splitlines()
        assert [line.split()[1] for line in lines if "::" in line] == IN_ORDER


class TestCompletionProtocol:
    """A shell asks click, in a process of its own, for verbs, options and benchmarks."""

    @pytest.mark.parametrize(
        ("words", "found"),
        [
            (["la"], ["latest"]),
            (["store", "opt"], ["optimize"]),
            (["latest", "--bench"], ["--benchmark"]),
            (["latest", "--sto"], ["--store"]),
            (["--verb"], ["--verbose"]),
            (["compare", "x", "--method", "lance"], ["lance-bench-t", "lance-bench-z"]),
            (["trend", "query"], IN_ORDER[3:]),
            (["latest", "--benchmark", "insert[1"], IN_ORDER[1:3]),
        ],
        ids=str,
    )
    def test_words(self, store: Database, words: list[str], found: list[str]) -> None:
        answer = bench_db_process(
            BENCH_DB_URI=store.uri,
            _BENCH_DB_COMPLETE="zsh_complete",
            COMP_WORDS=" ".join(["bench-db", *words]),
            COMP_CWORD=str(len(words)),
        )
        assert answer.out.splitlines()[1::3] == found
        assert answer.err == ""

    @pytest.mark.parametrize(("shell", "text"), [("bash", "complete -o"), ("zsh", "#compdef"), ("fish", "complete ")])
    def test_scripts(self, shell: str, text: str) -> None:
        assert text in bench_db_process(_BENCH_DB_COMPLETE=f"{shell}_source").out


def on_a_terminal(*words: object, **environment: str) -> str:
    """Return what the command writes to a terminal of 60 columns."""
    main, other = pty.openpty()
    termios.tcsetwinsize(other, (40, 60))
    command = [str(Path(sys.executable).with_name("bench-db")), *map(str, words)]
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    with subprocess.Popen(command, stdout=other, stderr=subprocess.DEVNULL, env=kept | {"TERM": "xterm"} | environment):
        os.close(other)
        written = b""
        with suppress(OSError):  # the end of a terminal is an error
            while part := os.read(main, 65536):
                written += part
        os.close(main)
    return written.decode().replace("\r\n", "\n")


class TestTerminal:
    """A table is as wide as the terminal, and verdicts are coloured there; a pipe has full names and no colour."""

    def test_it_fits(self, store: Database) -> None:
        lines = on_a_terminal("latest", "--store", store.uri).splitlines()
        assert lines[0] == "every benchmark begins with suite/test_speed.py::"
        assert max(map(len, lines)) <= 62
        assert sum("test_" in line for line in lines) == 7

    def test_columns(self, store: Database) -> None:
        lines = on_a_terminal("latest", "--store", store.uri, COLUMNS="200").splitlines()
        assert lines[2].startswith("suite/test_speed.py::test_insert[9]")

    def test_piped_it_is_whole(self, store: Database) -> None:
        out = bench_db("latest", "--store", store.uri, COLUMNS="40").out
        assert all(name in out for name in NAMES)

    @pytest.mark.parametrize(
        ("environment", "coloured"),
        [
            ({}, True),
            ({"NO_COLOR": "1"}, False),
            ({"TERM": "dumb"}, False),
            ({"NO_COLOR": "1", "FORCE_COLOR": "1"}, False),
        ],
        ids=str,
    )
    def test_colour(self, moved: Database, environment: dict[str, str], coloured: bool) -> None:  # noqa: FBT001 a column
        out = on_a_terminal("compare", "latest", "--store", moved.uri, **environment)
        assert "regressed" in out
        assert ("\x1b[31mregressed\x1b[0m" in out) == coloured
        assert ("\x1b" in out) == coloured

    @pytest.mark.parametrize(("environment", "coloured"), [({}, False), ({"FORCE_COLOR": "1"}, True)], ids=str)
    def test_colour_of_a_pipe(self, moved: Database, environment: dict[str, str], coloured: bool) -> None:  # noqa: FBT001 a column
        out = bench_db("compare", "latest", "--store", moved.uri, **environment).out
        assert "regressed" in out
        assert ("\x1b[31mregressed\x1b[0m" in out) == coloured
