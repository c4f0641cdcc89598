from __future__ import annotations

import inspect
import subprocess
import sys
from importlib import resources

import pytest

import bench_db

_HEAVY = ("boto3", "click", "lance", "lancedb", "msgspec", "numpy", "polars", "pyarrow", "rich", "scipy")


class TestNames:
    """The public names are one sorted list; all are importable and documented."""

    def test_sorted_and_without_doubles(self) -> None:
        assert bench_db.__all__ == sorted(set(bench_db.__all__))

    def test_those_of_the_contract(self) -> None:
        contract = {
            "connect",
            "parse",
            "summarise",
            "Database",
            "TestBed",
            "DutBuild",
            "Result",
            "SummaryValues",
            "Throughput",
        }
        assert contract | {"BenchDbError", "Run"} <= set(bench_db.__all__)
        assert dir(bench_db) == sorted(bench_db.__all__)

    @pytest.mark.parametrize("name", bench_db.__all__)
    def test_importable_and_documented(self, name: str) -> None:
        public = getattr(bench_db, name)
        assert (inspect.getdoc(public) or "").strip()
        assert public.__name__ == name

    @pytest.mark.parametrize("name", [name for name in bench_db.__all__ if name[0].isupper()])
    def test_public_methods_are_documented(self, name: str) -> None:
        public = getattr(bench_db, name)
        methods = {
            key: value for key, value in vars(public).items() if not key.startswith("_") and inspect.isfunction(value)
        }
        assert [key for key, method in methods.items() if not inspect.getdoc(method)] == []

    def test_every_error_is_one_of_ours(self) -> None:
        errors = [getattr(bench_db, name) for name in bench_db.__all__ if name.endswith("Error")]
        assert all(issubclass(error, bench_db.BenchDbError) and error.exit_code in {2, 3, 4} for error in errors)

    def test_an_unknown_name_is_said(self) -> None:
        with pytest.raises(AttributeError, match="no attribute 'invented'"):
            _ = bench_db.invented

    def test_typed(self) -> None:
        assert resources.files("bench_db").joinpath("py.typed").is_file()


class TestImport:
    """Importing bench_db loads no heavy module until a name is used."""

    @pytest.mark.parametrize(
        "module", ["bench_db", "bench_db.errors", "bench_db.model", "bench_db.units", "bench_db.identity"]
    )
    def test_nothing_heavy(self, module: str) -> None:
        ask = f"import sys, {module}; print([m for m in {_HEAVY!r} if m in sys.modules])"
        said = subprocess.run([sys.executable, "-c", ask], capture_output=True, text=True, check=True)
        assert said.stdout.strip() == "[]"

    def test_the_records_do_not_need_the_store(self) -> None:
        ask = "import sys, bench_db; bench_db.Result, bench_db.BenchDbError; print('polars' in sys.modules, 'lance' in sys.modules)"
        said = subprocess.run([sys.executable, "-c", ask], capture_output=True, text=True, check=True)
        assert said.stdout.strip() == "False False"

    @pytest.mark.parametrize("name", ["check", "compare", "scan", "show", "site", "trend"])
    def test_a_question_needs_no_format(self, name: str) -> None:
        ask = (
            f"import sys, bench_db; bench_db.{name}; print([m for m in sys.modules if m.startswith('bench_db.ingest')])"
        )
        said = subprocess.run([sys.executable, "-c", ask], capture_output=True, text=True, check=True)
        assert said.stdout.strip() == "[]"

    def test_no_use_case_needs_the_command_line(self) -> None:
        functions = [name for name in bench_db.__all__ if name.islower()]
        ask = f"import sys, bench_db; [getattr(bench_db, n) for n in {functions!r}]; print({{'click', 'rich'}} & set(sys.modules))"
        said = subprocess.run([sys.executable, "-c", ask], capture_output=True, text=True, check=True)
        assert said.stdout.strip() == "set()"

    def test_a_function_is_no_module(self) -> None:
        """A sub-package of the same name would replace the function as soon as something imports it."""
        homes = "import bench_db.app.backfill, bench_db.app.schedule, bench_db.app.site, bench_db.compat.upgrade"
        ask = f"{homes}, bench_db; print([n for n in bench_db.__all__ if n.islower() and not callable(getattr(bench_db, n))])"
        said = subprocess.run([sys.executable, "-c", ask], capture_output=True, text=True, check=True)
        assert said.stdout.strip() == "[]"
