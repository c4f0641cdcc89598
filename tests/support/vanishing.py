"""A directory that another process removes after the listing that names it, before it is listed itself."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path


class Vanishing:
    """Takes the place of `os.scandir`: each listing of the directory names one below it that is gone once it is listed."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._scandir = os.scandir
        self.removed = 0

    def __call__(self, path: Any = ".") -> Any:
        brief = self._directory / "brief"
        if str(path) == str(self._directory):
            brief.mkdir(exist_ok=True)
            (brief / "file").touch()
        elif str(path) == str(brief):
            shutil.rmtree(brief)
            self.removed += 1
        return self._scandir(path)
