"""Every public function and method refuses a value of a wrong type, and names the argument, what is expected and the function."""

from __future__ import annotations

import inspect
import math
import pickle
import re
import subprocess
import sys
from pathlib import Path
from textwrap import dedent
from typing import TYPE_CHECKING, Any

import pytest

import bench_db
from bench_db import model
from bench_db.app import pairs
from bench_db.app.arguments import guarded

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from bench_db.app.database import Source

NOTHING = object()
NUMBERS: tuple[Any, ...] = (True, math.nan, -1, -0.5)
PLAIN: tuple[Any, ...] = (3, 0.5, *NUMBERS)
LIST, PATH = ["x"], Path("x")
# What an argument with an annotation never takes, besides None where it names none.
WRONG: dict[str, tuple[Any, ...]] = {
    "str": (*PLAIN, LIST, PATH, b"x", {"a": "b"}),
    "int": ("3", 0.5, *NUMBERS, LIST, PATH),
    "int | str": (0.5, *NUMBERS, LIST, PATH),
    "float": ("x", *NUMBERS, LIST, PATH),
    "bool": (1, 0.0, "yes", LIST),
    "str | Path": (*PLAIN, LIST, b"x"),
    "Path": (*PLAIN, LIST, b"x"),
    "str | Path | bytes": (*PLAIN, LIST),
    "str | Path | Place": (*PLAIN, LIST),
    "Database": (*PLAIN, LIST),
    "Source": (*PLAIN, LIST),
    "stores.Database": (*PLAIN, LIST),
    "Moment": (*NUMBERS, LIST, PATH),
    "AsOf": (0.5, *NUMBERS, LIST, PATH),
    "Declaration": (*PLAIN, LIST),
    "timedelta": (*PLAIN, "x", LIST),
    "Sequence[str]": (*PLAIN, "x", [3], b"x", {"a": "b"}),
    "Collection[str]": (*PLAIN, "x", [3], b"x", {"a": "b"}),
    "tuple[str, ...]": (*PLAIN, "x", [3], b"x", {"a": "b"}),
    "Collection[int | str]": (*PLAIN, "x"),
    "Iterable[float]": (*PLAIN, "x"),
    "Mapping[str, str]": (*PLAIN, "x", LIST),
    "Mapping[str, Tag]": (*PLAIN, "x", LIST),
    "Mapping[str, object]": (*PLAIN, "x", LIST),
    "str | Mapping[str, float | str]": (*PLAIN, LIST, PATH),
    "Literal['oldest', 'newest', 'bisect']": (*PLAIN, "x", LIST),
}
# A record or a protocol of bench_db, which no plain value is; and what takes any value.
RECORDS = re.compile(r"(str \| )?[A-Z]\w+|Sequence\[[A-Z]\w+\]|Callable.*|Iterable\[tuple.*")
ANYTHING = {"object", "Where"}
# Names of several words of the command line, which are checked where they are used.
WORDS = {"Judging", "Mode", "Ci", "Alarm"}
REQUIRED: dict[str, Any] = {
    "str": "x",
    "int": 1,
    "str | Path": "x",
    "str | Path | bytes": "x",
    "str | Path | Place": "x",
    "AsOf": 1,
    "Iterable[float]": [1.0],
    **dict.fromkeys(("Source", "Database", "stores.Database"), "nowhere"),
    **{name: {} for name in ("Mapping[str, str]", "Mapping[str, object]")},
    **{name: [] for name in ("Sequence[Artifact]", "Sequence[Result]", "Iterable[tuple[Run, Sequence[Result]]]")},
}


def functions() -> dict[str, Callable[..., object]]:
    """Return the public functions, and the methods of a store."""
    named = {name: getattr(bench_db, name) for name in bench_db.__all__}
    methods = {f"Database.{name}": method for name, method in vars(bench_db.Database).items() if name[0] != "_"}
    return {name: one for name, one in (named | methods).items() if inspect.isfunction(one)}


FUNCTIONS = functions()


def annotations_of(function: Callable[..., object]) -> Iterator[tuple[str, str]]:
    """Yield each argument with the text of its annotation, those of a `TypedDict` by their own names."""
    for parameter in inspect.signature(function).parameters.values():
        if parameter.kind is not parameter.VAR_KEYWORD:
            yield parameter.name, parameter.annotation
            continue
        record = parameter.annotation.removeprefix("Unpack[").removesuffix("]")
        modules = [module for name, module in sorted(sys.modules.items()) if name.startswith("bench_db.")]
        found = next(vars(module)[record] for module in modules if record in vars(module))
        for name, reference in found.__annotations__.items():
            text = reference.__forward_arg__.strip().removeprefix("Annotated[").strip()
            yield name, re.split(r",\s*Parameter", text)[0].strip()


def wrong_values(annotation: str) -> tuple[Any, ...]:
    bare = annotation.removesuffix(" | None")
    if bare in ANYTHING:
        return ()
    nothing = () if bare != annotation else (None,)
    if bare in WORDS:
        return nothing
    if bare not in WRONG:
        assert RECORDS.fullmatch(bare), f"say what {bare} does not take"
        return (*nothing, *PLAIN, *(() if bare.startswith(("str", "Sequence")) else ("x",)))
    return (*nothing, *WRONG[bare])


def required(function: Callable[..., object]) -> dict[str, Any]:
    stated = {}
    for parameter in inspect.signature(function).parameters.values():
        if parameter.name != "self" and parameter.default is parameter.empty and parameter.kind not in {2, 4}:
            annotation = parameter.annotation
            known = REQUIRED.get(annotation, NOTHING)
            record = {**vars(pairs), **vars(model)}.get(annotation)
            stated[parameter.name] = object.__new__(record) if isinstance(record, type) and known is NOTHING else known
    return stated


def called(name: str, argument: str, value: object) -> object:
    """Call a function with a wrong value, and with good ones for what it needs."""
    function = FUNCTIONS[name]
    parameters = inspect.signature(function).parameters
    stated = required(function)
    first = [object.__new__(bench_db.Database)] if "self" in parameters else []
    kind = parameters[argument].kind if argument in parameters else inspect.Parameter.KEYWORD_ONLY
    positional = [
        stated.pop(key) for key, one in parameters.items() if one.kind is one.POSITIONAL_ONLY and key in stated
    ]
    if kind is inspect.Parameter.VAR_POSITIONAL:
        ahead = [
            stated.pop(key)
            for key, one in parameters.items()
            if one.kind is one.POSITIONAL_OR_KEYWORD and key in stated
        ]
        return function(*first, *positional, *ahead, value, **stated)
    if kind is inspect.Parameter.POSITIONAL_ONLY:
        return function(*first, *[value, *positional[1:]], **stated)
    return function(*first, *positional, **{**stated, argument: value})


class TestEveryArgument:
    """An error of a library deep inside names neither the argument nor the function."""

    @pytest.mark.parametrize("name", sorted(FUNCTIONS))
    def test_of_a_wrong_type(self, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tmp_path)
        tried = 0
        for argument, annotation in annotations_of(FUNCTIONS[name]):
            signed = argument in {"seed", "quick_seed"}
            for value in () if argument == "self" else wrong_values(annotation):
                if signed and value == -1:
                    continue
                with pytest.raises(bench_db.UserError) as refused:
                    called(name, argument, value)
                said = str(refused.value)
                assert re.match(f"`{argument}`: .+ is expected, not ", said), said
                assert said.endswith(f", in bench_db.{name.rpartition('.')[2]}")
                tried += 1
        assert tried or not required(FUNCTIONS[name])
        assert list(tmp_path.iterdir()) == []

    def test_what_is_said(self) -> None:
        for value, said in (
            ("5", "`threshold`: a number is expected, not '5' (str), in bench_db.check"),
            (-5, "`threshold`: a number is expected, not -5 (negative), in bench_db.check"),
            (math.nan, "`threshold`: a number is expected, not nan (not a number), in bench_db.check"),
        ):
            with pytest.raises(bench_db.UserError, match=f"^{re.escape(said)}$"):
                bench_db.check("store", threshold=value)  # type: ignore[arg-type]

    def test_an_unknown_one_is_one_of_python(self) -> None:
        with pytest.raises(TypeError, match="unexpected keyword argument 'bench'"):
            bench_db.compare("store", bench="x")  # type: ignore[call-arg]


class TestGoodArguments:
    """What works without the check works with it."""

    def test_numbers_of_numpy_and_lists_of_any_kind(self) -> None:
        import numpy as np

        @guarded
        def shown(count: int, share: float, names: Sequence[str], place: Path | None = None) -> object:
            return count, share, list(names), place

        assert shown(np.int64(3), np.float32(0.5), ("a", "b"), "x") == (3, 0.5, ["a", "b"], PATH)
        assert shown(3, 1, {"a": 1}.keys()) == (3, 1, ["a"], None)

    def test_paths_of_any_kind_are_those_of_pathlib(self) -> None:
        class Elsewhere:
            place: str | bytes = "x"

            def __fspath__(self) -> str | bytes:
                return self.place

        class InBytes(Elsewhere):
            place = b"x"

        def shown(*places: str | Path, root: Path | None = None, store: Source = "") -> object:
            return places, root, store

        call: Callable[..., object] = guarded(shown)
        assert call("x", Elsewhere(), root="x", store=Elsewhere()) == (("x", PATH), PATH, PATH)
        assert call(PATH, root=Elsewhere()) == ((PATH,), PATH, "")
        for argument, said in (("root", "a path"), ("store", "a store or its address")):
            for value in (b"x", InBytes()):
                with pytest.raises(bench_db.UserError, match=f"`{argument}`: {said} is expected, not "):
                    call(**{argument: value})

    def test_numbers_and_truth_values_of_numpy_are_those_of_python(self) -> None:
        """Libraries refuse numpy's: `timedelta` its integers, `random.Random` them as seeds."""
        import numpy as np

        @guarded
        def shown(
            count: int, share: float, *, is_all: bool = False, at: int | str | None = None, value: object = None
        ) -> object:
            return [(type(one), one) for one in (count, share, is_all, at)], value

        value = np.float32(0.5)
        expected = [(int, 3), (float, 0.5), (bool, True), (int, 7)]
        found = shown(np.int64(3), np.float32(0.5), is_all=np.True_, at=np.uint8(7), value=value)
        assert found == (expected, value)
        assert found[1] is value  # what takes any value gets it as it is

    def test_seeds_may_be_negative(self) -> None:
        @guarded
        def chosen(seed: int, *, quick_seed: int | None = None) -> object:
            return seed, quick_seed

        assert chosen(-1, quick_seed=-2) == (-1, -2)

    def test_wrong_numbers_of_arguments_are_errors_that_name_the_function(self) -> None:
        with pytest.raises(TypeError, match=r"^compare\(\): too many positional arguments"):
            bench_db.compare("store", "latest", "level")  # type: ignore[call-arg]
        with pytest.raises(TypeError, match=r"^notify\(\): missing a required argument: 'environment'"):
            bench_db.notify("store")  # type: ignore[call-arg]

    @pytest.mark.parametrize(
        "name", ["compare", "show", "commits", "noise", "detect", "availability", "rank", "frontier", "definitions"]
    )
    def test_a_time_of_the_store_is_a_date_a_version_or_a_text(self, name: str) -> None:
        """The store takes all of them, and each method that has `as_of`."""
        found = dict(annotations_of(FUNCTIONS[name]))
        assert found["as_of"] == "AsOf | None"

    @pytest.mark.slow
    def test_in_a_process_that_imported_nothing_else(self) -> None:
        """The annotations of a function name what its module imports for type checkers alone, and nobody may have imported it yet."""
        code = """
            import os, sys
            import bench_db, numpy, polars, pyarrow, lancedb, msgspec
            from inspect import isfunction, signature, unwrap

            def texts(function):
                from bench_db.app import arguments
                accepted = arguments._accepted(unwrap(function), signature(function))
                return {hint for hints in accepted.values() for hint in hints if isinstance(hint, str)}

            known = {"Database", "stores.Database", "Source", "Engine", "Place"}
            def checked(name):
                public = getattr(bench_db, name)
                methods = vars(public).values() if name == "Database" else [public]
                for one in methods:
                    if isfunction(one) and (unknown := texts(one) - known):
                        sys.exit(f"{one.__qualname__}: {unknown}")

            assert not [name for name in sys.modules if name.startswith("bench_db.app")]
            for name in bench_db.__all__:
                if not (child := os.fork()):
                    checked(name)
                    os._exit(0)
                if os.waitpid(child, 0)[1]:
                    sys.exit(name)
        """
        done = subprocess.run([sys.executable, "-c", dedent(code)], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr

    def test_a_function_is_pickled_by_its_public_name(self) -> None:
        assert pickle.loads(pickle.dumps(bench_db.compare)) is bench_db.compare
        assert bench_db.compare.__module__ == "bench_db"
