"""Compilation takes seconds, once: no deadline for examples, and the kernels are ready before the first test."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("compiled", deadline=None)
settings.load_profile("compiled")
