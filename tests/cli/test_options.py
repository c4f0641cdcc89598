"""Shared options: the store that they name, their values, and the two kinds of output."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypedDict

import click
import pytest

from bench_db import threads
from bench_db.app.parameters import Parameter
from bench_db.cli.main import root
from bench_db.cli.options import (
    Fraction,
    Minutes,
    Percent,
    _limiting,
    benchmark_names,
    declared,
    default_uri,
    emit,
    emit_found,
    pairs,
    screen,
    selection,
)
from bench_db.errors import UserError
from bench_db.query.selection import Selection
from bench_db.store.database import Database, connect
from tests.cli import commands
from tests.cli.conftest import bench_db
from tests.cli.kinds import entry, publish_all

if TYPE_CHECKING:
    from collections.abc import Mapping


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Database:
    """Publish three commits of two benchmarks."""
    made = connect(tmp_path_factory.mktemp("options") / "store", create=True)
    publish_all(
        made, [entry(number, {"insert[10]": 100.0 + number, "insert[9]": 100.0 + number}) for number in range(3)]
    )
    return made


class TestDefaultUri:
    """The store of bench_db comes before that of lance-bench, and both before the directory at home; empty is unset."""

    @pytest.mark.parametrize(
        ("environment", "uri"),
        [
            ({"BENCH_DB_URI": "a", "LANCE_BENCH_URI": "b"}, "a"),
            ({"BENCH_DB_URI": "", "LANCE_BENCH_URI": "b"}, "b"),
            ({"LANCE_BENCH_URI": ""}, str(Path.home() / ".lance-bench")),
        ],
    )
    def test_order(self, environment: Mapping[str, str], uri: str) -> None:
        assert default_uri(environment) == uri


class TestCompletion:
    """A shell completes the benchmarks that contain the typed text, in natural order; none without a store."""

    @pytest.mark.parametrize(("typed", "names"), [("", ["insert[9]", "insert[10]"]), ("10", ["insert[10]"]), ("x", [])])
    def test_names(self, store: Database, typed: str, names: list[str]) -> None:
        context = click.Context(root, obj={"uri": str(store.uri)})
        assert [item.value for item in benchmark_names(context, click.Argument(["x"]), typed)] == names

    def test_a_missing_store_completes_nothing(self, tmp_path: Path) -> None:
        context = click.Context(root, obj={"uri": str(tmp_path / "none")})
        assert benchmark_names(context, click.Argument(["x"]), "") == []


class TestSelection:
    """Each option sets the condition of its name; no option sets none."""

    def test_conditions(self) -> None:
        assert selection().is_empty
        stated: dict[str, Any] = {
            "test_bed_name": "ci",
            "dut_name": "d",
            "branch": "main",
            "suite": "s",
            "metric": "time",
        }
        found = selection(benchmark="f*", tags=("k=10", "url=a=b", "empty="), **stated)
        assert found == Selection(benchmark="f*", tags={"k": "10", "url": "a=b", "empty": ""}, **stated)

    @pytest.mark.parametrize("text", ["k", "=10", ""])
    def test_a_tag_without_a_name_or_sign(self, text: str) -> None:
        with pytest.raises(UserError, match=f"^--tag {text}: a tag is written K=V"):
            pairs(("good=1", text))

    def test_a_tag_of_two_values(self) -> None:
        """The last one was taken without a word; the same one twice is no contradiction."""
        assert pairs(("a=1", "b=2", "a=1")) == {"a": "1", "b": "2"}
        with pytest.raises(UserError, match=r"^--tag a=2: contradicts --tag a=1; give one of them$"):
            pairs(("a=1", "b=2", "a=2"))


class TestPercentages:
    """`5`, `5%` and `5 %` are one percentage; what may mean two things is refused."""

    @pytest.mark.parametrize(
        ("text", "number"),
        [("5", 5), ("5%", 5), ("5 %", 5), (" 2.5% ", 2.5), ("0.5%", 0.5), ("0", 0), ("0%", 0), ("150", 150)],
    )
    def test_accepted(self, text: str, number: float) -> None:
        assert Percent().convert(text, None, None) == number

    @pytest.mark.parametrize("text", ["", "%", "x", "nan", "inf", "-1", "-1%", "5%%", "5% x", "5 percent"])
    def test_refused(self, text: str) -> None:
        with pytest.raises(click.BadParameter, match=r"is not a percentage; examples: 5, 5%, 0\.5%"):
            Percent().convert(text, None, None)

    def test_a_number_below_1_needs_the_sign(self, store: Database) -> None:
        for option in ("--threshold", "--min-effect"):
            answer = bench_db("check", option, "0.05", "--store", store.uri)
            assert answer.code == 2
            assert f"'{option}': 0.05 may mean 0.05 % or 5 %; write 0.05% or 5%" in answer.err

    @pytest.mark.parametrize("words", [["--threshold", "5%"], ["--min-effect", "2%"], ["--min-effect", "0.5%"]])
    def test_check(self, store: Database, words: list[str]) -> None:
        assert bench_db("check", "--baseline", "last:1", *words, "--store", store.uri).code == 0

    @pytest.mark.parametrize(("text", "share"), [("0.05", 0.05), ("5%", 0.05), ("100%", 1), ("1", 1)])
    def test_shares(self, text: str, share: float) -> None:
        assert Fraction().convert(text, None, None) == share

    @pytest.mark.parametrize("text", ["5", "0", "-0.1", "101%", "x", "nan"])
    def test_no_shares(self, text: str) -> None:
        with pytest.raises(click.BadParameter, match=r"is not a share between 0 and 1, such as 0\.05 or 5%"):
            Fraction().convert(text, None, None)

    def test_a_percentage_without_its_sign_is_helped(self) -> None:
        with pytest.raises(click.BadParameter, match=r"such as 0\.05 or 5%; 5 percent is written 5%"):
            Fraction().convert("5", None, None)


def never() -> Any:
    pytest.fail("made, and not written")


class TestEmit:
    """Only the chosen kind of output is made; an empty answer with a reason is an error after the JSON document."""

    def test_one_kind_is_made(self, capsys: pytest.CaptureFixture[str]) -> None:
        emit("text", never, lambda: "a line")
        assert capsys.readouterr().out == "a line\n"
        emit("json", lambda: {"name": "ü"}, never)
        out = capsys.readouterr().out
        assert ("ü" in out, json.loads(out)["name"]) == (True, "ü")

    def test_nan_is_no_json(self) -> None:
        with pytest.raises(ValueError, match="not JSON compliant"):
            emit("json", {"x": float("nan")}, never)

    @pytest.mark.parametrize(("output", "out"), [("text", ""), ("json", "[]\n")])
    def test_nothing_found(self, output: str, out: str, capsys: pytest.CaptureFixture[str]) -> None:
        with pytest.raises(UserError, match="no such suite"):
            emit_found(output, [], never, found=False, why=lambda: "no such suite")
        assert capsys.readouterr().out == out

    def test_nothing_found_without_a_condition(self, capsys: pytest.CaptureFixture[str]) -> None:
        emit_found("text", [], lambda: "no result", found=False, why=lambda: None)
        emit_found("text", [], lambda: "a result", found=True, why=never)
        assert capsys.readouterr().out == "no result\na result\n"


class TestScreen:
    """A pipe has no width, and colour only when the environment asks for it; NO_COLOR comes first."""

    @pytest.mark.parametrize(
        ("environment", "colour"),
        [({}, False), ({"FORCE_COLOR": "1"}, True), ({"FORCE_COLOR": "1", "NO_COLOR": "1"}, False)],
    )
    def test_of_a_pipe(self, environment: Mapping[str, str], colour: bool) -> None:  # noqa: FBT001 a column
        found = screen(environment)
        assert (found.width, found.colour) == (None, colour)


class Declared(TypedDict, total=False):
    """One key of each type that a declaration may have."""

    dry_run: Annotated[bool, Parameter(help="A switch.")]
    suites: Annotated[tuple[str, ...], Parameter(help="Repeated.", flag="--suite")]
    most: Annotated[int | None, Parameter(help="A count.", least=1)]
    minutes: Annotated[float | None, Parameter(help="A number.")]
    clone: Annotated[Path | None, Parameter(help="A directory.")]
    order: Annotated[Literal["oldest", "newest"] | None, Parameter(help="A choice.")]
    name: Annotated[str | None, Parameter(help="A text.")]


class TestDeclared:
    """A declaration gives each key a flag; click converts its value to the declared type, or refuses it."""

    def parsed(self, *words: str) -> dict[str, Any]:
        found: dict[str, Any] = {}
        command = click.command()(declared(Declared)(lambda **values: found.update(values)))
        command.main(list(words), standalone_mode=False)
        return found

    def test_types(self) -> None:
        words = "--dry-run --suite a --suite b --most 3 --minutes 0.5 --clone . --order newest --name 7"
        assert self.parsed(*words.split()) == {
            "dry_run": True,
            "suites": ("a", "b"),
            "most": 3,
            "minutes": 0.5,
            "clone": Path(),
            "order": "newest",
            "name": "7",
        }

    @pytest.mark.parametrize(
        "words", ["--most 0", "--most 1.5", "--minutes x", f"--clone {__file__}", "--order bisect"]
    )
    def test_refused(self, words: str) -> None:
        with pytest.raises(click.BadParameter) as refused:
            self.parsed(*words.split())
        assert refused.value.param is not None
        assert refused.value.param.opts == words.split()[:1]


class TestMinutes:
    """A duration has a number and a unit."""

    @pytest.mark.parametrize(
        ("text", "minutes"), [("30m", 30.0), ("90s", 1.5), ("1.5h", 90.0), ("2 h", 120.0), ("3d", 4320.0)]
    )
    def test_read(self, text: str, minutes: float) -> None:
        assert Minutes().convert(text, None, None) == minutes

    @pytest.mark.parametrize("text", ["30", "m", "0m", "-3m", "3w"])
    def test_refused(self, text: str) -> None:
        with pytest.raises(click.BadParameter, match="is not a duration; examples: 30m"):
            Minutes().convert(text, None, None)


class TestThreads:
    """The number of threads is that of --threads, else of BENCH_DB_THREADS, else all cores."""

    @pytest.mark.parametrize(
        ("words", "environment", "count"),
        [
            (["latest", "--threads", "3"], {}, 3),
            (["--threads", "4", "latest"], {"BENCH_DB_THREADS": "5"}, 4),
            (["latest"], {"BENCH_DB_THREADS": "5"}, 5),
            (["latest"], {}, threads.cores()),
        ],
    )
    def test_number(
        self,
        store: Database,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        *,
        words: list[str],
        environment: dict[str, str],
        count: int,
    ) -> None:
        monkeypatch.setattr(threads, "_asked", [])
        answer = commands.bench_db(*words, "--store", store.uri, cwd=tmp_path, **environment)
        assert answer.returncode == 0
        assert threads.threads() == count

    @pytest.mark.parametrize(("words", "variables"), [(["--threads", "0"], {}), ([], {"BENCH_DB_THREADS": "many"})])
    def test_no_number(self, tmp_path: Path, words: list[str], variables: dict[str, str]) -> None:
        answer = commands.bench_db("latest", *words, cwd=tmp_path, **variables)
        assert answer.returncode == 2
        assert "'--threads'" in answer.stderr

    def test_libraries(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(threads, "_asked", [])
        for name in ("POLARS_MAX_THREADS", "LANCE_CPU_THREADS"):
            monkeypatch.setenv(name, "0")  # so that it is put back
            monkeypatch.delenv(name)
        context = click.Context(root)
        _limiting(context, root.params[0], 1)
        assert (os.environ["POLARS_MAX_THREADS"], os.environ["LANCE_CPU_THREADS"]) == ("1", "2")
