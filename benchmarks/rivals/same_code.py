"""False alarms of comparisons of a run with others of the same code, for tests with different units of replication."""

from __future__ import annotations

import math
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import stats

from bench_db.analysis.compare import compare
from bench_db.analysis.seed_methods import T_TEST_ALPHA, Z_THRESHOLD, lance_bench_ttest, lance_bench_z
from benchmarks.rivals.table import rendered
from benchmarks.synthetic import NOISE, SCALE, history

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

Array = np.ndarray[Any, Any]
FORKS = "jmh_forks.npz"
SAMPLES = 60
WITHIN = 3 * SCALE  # median of 586 JMH benchmarks: the samples of a run spread 3.1 times as wide as the medians of runs
SLOWER = 1.1
P_OF_THRESHOLD = math.erfc(Z_THRESHOLD / math.sqrt(2))


def run_level(runs: Array) -> Array:
    """Judge by `compare` of the medians."""
    return np.array([compare(row[-1:], row[:-1]).significant for row in np.median(runs, axis=2).tolist()])


def t_test(runs: Array) -> Array:
    """Judge as lance-bench: the last 4 means against all older ones."""
    p_values = [lance_bench_ttest(row).p_value for row in runs.mean(axis=2).tolist()]
    return np.array([p is not None and p < T_TEST_ALPHA for p in p_values])


def z(runs: Array) -> Array:
    """Judge as lance-bench: the newest mean against those of the others."""
    p_values = [lance_bench_z(row[-1], row[:-1]).p_value for row in runs.mean(axis=2).tolist()]
    return np.array([p is not None and p < P_OF_THRESHOLD for p in p_values])


def mann_whitney(alpha: float) -> Callable[[Array], Array]:
    """Judge the samples of the newest run against those of the previous run."""
    return lambda runs: np.asarray(stats.mannwhitneyu(runs[:, -1], runs[:, -2], axis=1).pvalue < alpha)


def welch(alpha: float) -> Callable[[Array], Array]:
    """Judge the samples of the newest run against the pooled samples of all others."""

    def alarms(runs: Array) -> Array:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # some benchmarks have identical samples
            heap = runs[:, :-1].reshape(len(runs), -1)
            return np.asarray(stats.ttest_ind(runs[:, -1], heap, axis=1, equal_var=False).pvalue < alpha)

    return alarms


JUDGES: dict[str, Callable[[Array], Array]] = {
    "bench_db compare, p < .01": run_level,
    "lance-bench t-test, last 4, p < .05": t_test,
    "lance-bench |z| > 2": z,
    "Mann-Whitney, samples, run before, p < .05": mann_whitney(0.05),
    "Mann-Whitney, samples, run before, p < .01": mann_whitney(0.01),
    "Welch, pooled samples, p < .05": welch(0.05),
    "Welch, pooled samples, p < .01": welch(0.01),
}


def synthetic(seed: int, *, count: int = 3000, n: int = 12) -> Array:
    """Return samples of unchanged benchmarks, shape (count, n + 1 runs, samples): every noise kind, samples about each point."""
    rng = np.random.default_rng(seed)
    kinds = list(NOISE)
    levels = np.array([history(kinds[i % len(kinds)], n + 1, 0.0, (), rng).values for i in range(count)])
    return levels[:, :, np.newaxis] * np.exp(rng.normal(0, WITHIN, (*levels.shape, SAMPLES)))


def forks(path: Path) -> Array:
    """Return samples of real benchmarks from several processes of the same code, with each process as the newest in turn."""
    with np.load(path, allow_pickle=False) as file:
        runs = file["x"].astype(float)
    return np.concatenate([np.roll(runs, shift, axis=1) for shift in range(runs.shape[1])])


def sets(seed: int, folder: Path, share: float) -> dict[str, Array]:
    """Return the available data sets by name."""
    made = {"synthetic": synthetic(seed, count=round(3000 * share))}
    return made | ({"JMH forks": forks(folder / FORKS)} if (folder / FORKS).is_file() else {})


def alarms_table(known: Mapping[str, Array], *, markdown: bool = False) -> str:
    """Return one row per test: the share of alarms on the same code, and with the newest run slower by 10 %."""
    headings = ["comparison", *(f"{name}: {what}" for name in known for what in ("alarms", "+10 %")), ""]
    rows = [
        [name, *(f"{rate:.3f}" for runs in known.values() for rate in _rates(judge, runs)), ""]
        for name, judge in JUDGES.items()
    ]
    rows.append(["target", *(target for _ in known for target in ("<= .015", "")), ""])
    return rendered(headings, rows, markdown=markdown)


def legend(known: Mapping[str, Array]) -> list[str]:
    """Describe each pair of columns and its number of comparisons."""
    return [
        f"{name}: {len(runs)} comparisons of one run with {runs.shape[1] - 1} others, {runs.shape[2]} samples each"
        for name, runs in known.items()
    ]


def _rates(judge: Callable[[Array], Array], runs: Array) -> tuple[float, float]:
    slower = runs.copy()
    slower[:, -1] *= SLOWER
    return float(judge(runs).mean()), float(judge(slower).mean())
