"""Plain Python and machine code give the same answers, and the compiler runs only where it saves time."""

from __future__ import annotations

import ast
import math
import os
import subprocess
import sys
from fnmatch import fnmatch
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numba
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench_db.analysis import jit
from bench_db.analysis.common_kernel import without_common
from bench_db.analysis.constants import PROFILES, Profile, for_scan
from bench_db.analysis.detect_kernel import all_changes
from bench_db.analysis.jit import Kernel, compiled, divided, exp, expm1
from bench_db.analysis.noise_kernel import (
    distance_of_pairs,
    inserted_quantile,
    narrowed_distance,
    quantile,
    rolling_quantile,
    selected_quantile,
)
from bench_db.analysis.steps_kernel import steps_at
from bench_db.errors import SlowWarning

if TYPE_CHECKING:
    from collections.abc import Callable

Array = np.ndarray[Any, Any]
HERE = Path(jit.__file__).parent
LENGTHS = (0, 1, 2, 7, 8, 13, 20, 45, 70, 130)
TABLE = list(PROFILES.values()) + [for_scan(profile) for profile in Profile]


def series(rng: np.random.Generator, n: int) -> Array:
    """Return a history of one of many kinds, with up to three steps."""
    noise = rng.normal(0, 0.02, n)
    kinds: tuple[Callable[[], Array], ...] = (
        lambda: np.exp(noise),
        lambda: np.round(np.exp(noise) * 50) / 50,
        lambda: np.exp(np.cumsum(noise)),
        lambda: np.where(rng.random(n) < 0.5, 1520.0, 965.0) * np.exp(noise / 5),
        lambda: rng.integers(0, 3, n) * 1.0,
        lambda: 50 * noise,
        lambda: np.full(n, rng.choice([0.0, -2.0, 5e-324, 1e308])),
        lambda: 10.0 ** rng.uniform(-320, 308, n),
        lambda: np.where(rng.random(n) < 0.1, rng.choice([math.nan, math.inf, -math.inf, 0.0], n), np.exp(noise)),
    )
    values = kinds[rng.integers(len(kinds))]()
    with np.errstate(over="ignore"):
        for _ in range(rng.integers(4) if n else 0):
            values[rng.integers(n) :] *= rng.choice([0.5, 0.9, 1.03, 1.2, 2.0])
    return values


def suite(seed: int) -> tuple[np.random.Generator, Array, Array, Array]:
    """Return concatenated values, offsets, and the run of each point of some series."""
    rng = np.random.default_rng(seed)
    some = [series(rng, int(rng.choice(LENGTHS))) for _ in range(rng.integers(1, 13))]
    runs = np.concatenate([np.arange(len(one)) for one in some])
    return rng, np.concatenate(some), np.cumsum([0, *map(len, some)]), runs


def same(kernel: Kernel[..., Any], *arguments: Any) -> bool:
    """Return whether both forms give the same bits, in what they return and in the arrays that they write."""
    copies = [a.copy() if isinstance(a, np.ndarray) else a for a in arguments]
    plain, machine = kernel.plain(*arguments), kernel.machine(*copies)
    pairs = zip([*plain, *arguments], [*machine, *copies], strict=True)
    return all(np.array_equal(a, b, equal_nan=True) for a, b in pairs if isinstance(a, np.ndarray | float))


class TestForms:
    """Whichever form runs, every answer has the same bits."""

    @settings(max_examples=40)
    @given(seed=st.integers(0, 2**32), profile=st.sampled_from(TABLE))
    def test_changes(self, seed: int, profile: Any) -> None:
        _, values, offsets, _ = suite(seed)
        assert same(all_changes, values, offsets, profile)

    @pytest.mark.slow
    @settings(max_examples=40)
    @given(seed=st.integers(0, 2**32))
    def test_movements_and_steps(self, seed: int) -> None:
        rng, values, offsets, runs = suite(seed)
        n_runs, signs = int(runs.max(initial=-1)) + 1, rng.choice([-1.0, 1.0], len(offsets) - 1)
        levels, fewest = np.sort(rng.integers(0, 2, n_runs)), rng.choice([0, 11], n_runs)
        assert same(without_common, values, offsets, runs, levels, fewest, signs, np.zeros_like(values))
        single, reach = bool(rng.integers(2)), int(rng.choice([10, 24]))
        assert same(steps_at, values, offsets, runs, np.arange(len(signs)), int(rng.integers(50)), single, reach)

    @pytest.mark.slow
    @given(seed=st.integers(0, 2**32), n=st.integers(1, 300), p=st.floats(0, 1))
    def test_functions_with_a_form_of_their_own(self, seed: int, n: int, p: float) -> None:
        values = np.random.default_rng(seed).normal(0, 1, n).round(1)
        assert quantile(values, n, p) == selected_quantile(values.copy(), n, p)
        if n > 1:
            assert distance_of_pairs(values) == narrowed_distance(values)
        rolled, inserted = np.empty(n), np.empty(n)
        rolling_quantile(values, 5, 6, p, rolled)
        inserted_quantile(values, 5, 6, p, inserted)
        assert rolled.tolist() == inserted.tolist()

    def test_what_python_raises_for(self) -> None:
        assert (exp(710.0), expm1(1e9), exp(-1e9)) == (math.inf, math.expm1(700.0), 0.0)
        assert (divided(1.0, 0.0), divided(-1.0, 0.0), divided(3.0, 2.0)) == (math.inf, -math.inf, 1.5)
        assert math.isnan(divided(0.0, 0.0))


@compiled
def doubled(x: float) -> float:
    return 2.0 * x


def doubling(work: float, compilation: float = 100.0) -> Kernel[[Array], Array]:
    """Return a kernel whose calls and whose compiler take so many seconds, by their estimates."""

    def of(digest: int) -> Callable[[Array], Array]:
        def entry(values: Array) -> Array:
            _ = digest
            for i in range(len(values)):
                values[i] = doubled(values[i])
            return values

        return entry

    return Kernel(of, lambda *_: work, compilation)


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path))
    return tmp_path


class TestKernel:
    """Plain Python runs until the work is worth the compiler; machine code that is cached runs for less."""

    def test_little_work_loads_no_machine_code(self, cache: Path) -> None:
        doubling(200.0).machine(np.ones(3))
        assert list(cache.rglob("*.nbi"))
        kernel = doubling(0.1)
        assert kernel.form(np.ones(3)) == kernel.plain
        assert kernel(np.ones(3)).tolist() == [2.0, 2.0, 2.0]

    def test_more_work_than_the_compiler_takes_is_compiled(self, cache: Path) -> None:
        kernel = doubling(101.0)
        assert kernel.form(np.ones(3)) != kernel.plain
        assert kernel(np.ones(3)).tolist() == [2.0, 2.0, 2.0]
        assert list(cache.rglob("*.nbi"))

    @pytest.mark.filterwarnings("ignore::bench_db.errors.SlowWarning")
    def test_work_adds_up(self, cache: Path) -> None:
        kernel = doubling(40.0)
        assert [kernel.form(np.ones(3)) == kernel.plain for _ in range(4)] == [True, True, False, False]
        assert not list(cache.rglob("*.nbi"))

    def test_cached_machine_code_is_used_for_work_that_loading_it_saves(self, cache: Path) -> None:
        doubling(200.0).machine(np.ones(3))
        assert list(cache.rglob("*.nbi"))
        kernel = doubling(5.0)
        assert kernel.form(np.ones(3)) != kernel.plain
        assert kernel.form(np.ones(3, np.int64)) != kernel.plain

    def test_cached_machine_code_is_loaded_without_the_compiler(self, cache: Path) -> None:
        doubling(200.0).machine(np.ones(3))
        script = (
            "import sys; import numpy as np; from tests.analysis.test_jit import doubling; kernel = doubling(5.0); "
            "print(kernel.form(np.ones(3)) != kernel.plain, kernel(np.ones(3)).tolist(), 'numba.np.linalg' in sys.modules)"
        )
        environment = {**os.environ, "NUMBA_CACHE_DIR": str(cache)}
        done = subprocess.run(
            [sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True
        )
        assert done.stdout.split("\n")[0] == "True [2.0, 2.0, 2.0] False"

    def test_another_layout_of_numba_is_no_damage_of_the_cache(
        self, cache: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        """The part of Numba that is imported to load faster is not public. Without it the cache is kept, and loaded as Numba does."""
        doubling(200.0).machine(np.ones(3))
        monkeypatch.delattr("numba.core.runtime.nrt.rtsys")
        kernel = doubling(5.0)
        assert kernel.form(np.ones(3)) != kernel.plain
        assert kernel(np.ones(3)).tolist() == [2.0, 2.0, 2.0]
        assert not caplog.text
        assert list(cache.rglob("*.nbi"))

    def test_machine_code_of_other_types_is_not_that_of_these(self, cache: Path) -> None:
        doubling(200.0).machine(np.ones(3))
        assert list(cache.rglob("*.nbi"))
        kernel = doubling(5.0)
        assert kernel.form(np.ones(3, np.float32)) == kernel.plain

    def test_an_empty_cache_costs_no_set_up_of_the_compiler(self, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        asked: list[object] = []
        monkeypatch.setattr(jit, "_sound", lambda _: lambda *wanted: asked.append(wanted))
        kernel = doubling(5.0)
        assert kernel.form(np.ones(3)) == kernel.plain
        assert not asked
        doubling(200.0).machine(np.ones(3))
        assert list(cache.rglob("*.nbi"))
        asked.clear()
        doubling(5.0).form(np.ones(3))
        assert asked

    @pytest.mark.parametrize("left", [0.0, 0.5])
    @pytest.mark.parametrize("ending", ["nbc", "nbi"])
    def test_a_cache_that_is_cut_is_made_again(
        self, cache: Path, ending: str, left: float, caplog: pytest.LogCaptureFixture
    ) -> None:
        doubling(200.0).machine(np.ones(3))
        (path,) = cache.rglob(f"*.{ending}")
        os.truncate(path, int(path.stat().st_size * left))
        kernel = doubling(5.0)
        assert kernel.form(np.ones(3)) == kernel.plain
        assert "the cache of machine code is damaged and compiled again" in caplog.text
        assert doubling(200.0).machine(np.ones(3)).tolist() == [2.0, 2.0, 2.0]
        kernel = doubling(5.0)
        assert kernel.form(np.ones(3)) != kernel.plain

    def test_a_cache_that_cannot_be_read_is_kept(self) -> None:
        class Unreadable:
            kept = True

            def load_overload(self, *_wanted: object) -> object:
                raise PermissionError

            def flush(self) -> None:
                self.kept = False

        there = Unreadable()
        with pytest.raises(PermissionError):
            jit._sound(there)("types", "context")
        assert there.kept

    def test_without_numba_long_work_names_the_extra(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(jit, "find_spec", lambda _: None)
        kernel = doubling(900.0)
        with pytest.warns(SlowWarning, match=r"900 s.*bench-db\[verdicts\]"):
            assert kernel(np.ones(2)).tolist() == [2.0, 2.0]


class TestSourceDigest:
    """The digest changes with every module that is compiled."""

    def test_everything_a_kernel_imports_from_the_package_is_in_it(self) -> None:
        kernels = sorted(HERE.glob("*_kernel.py"))
        assert kernels
        nodes = [node for path in kernels for node in ast.walk(ast.parse(path.read_text()))]
        imported = {str(node.module) for node in nodes if isinstance(node, ast.ImportFrom)}
        own = {name.removeprefix("bench_db.analysis.") for name in imported if name.startswith("bench_db")}
        assert own
        assert {name for name in own if not any(fnmatch(f"{name}.py", pattern) for pattern in jit.SOURCES)} == set()
