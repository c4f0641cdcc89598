"""Kernel: Student's t distribution, compiled."""

from __future__ import annotations

from bench_db.analysis.jit import compiled
from bench_db.analysis.student import student

two_sided_p, t_quantile = student(compiled)
