"""Settings for compiled kernels: compile before the first test, and set no deadline for examples."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("compiled", deadline=None)
settings.load_profile("compiled")
