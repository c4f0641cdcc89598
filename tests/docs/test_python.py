from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

import bench_db

PAGE = Path(__file__).parents[2] / "docs" / "python.md"
_BLOCK = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)


class TestPython:
    """Every example of docs/python.md runs, in order, on a real store; every public name is on the page."""

    @pytest.mark.slow
    def test_examples_run(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tmp_path)
        text = PAGE.read_text("utf-8")
        names: dict[str, Any] = {"__name__": "example"}
        for block in _BLOCK.finditer(text):
            line = text.count("\n", 0, block.start(1))
            # without the future imports of this module
            exec(compile("\n" * line + block[1], str(PAGE), "exec", dont_inherit=True), names)
        assert names["gate"].passed is False
        assert names["published"].new == 2
        assert (names["declared"].files[0].format, names["declared"].new) == ("mine", 2)
        assert names["log"].new
        assert (len(names["stored"].results), len(names["stored"].artifacts)) == (5, 2)
        assert [one.verdict for one in names["judged"].comparisons] == ["regressed"]
        assert names["collection"].list_stores() == ["my_exp:1.0", "my_exp:2.0"]
        assert bench_db.place("team://compilers").address == str(tmp_path / "teams/compilers")
        assert names["front"].values["value"].to_list() == [pytest.approx(552.777778), pytest.approx(212.0)]
        assert len(names["measured"].ended) == 3
        assert names["culprit"].bisection.found is not None
        assert names["paired"].counts == {"regressed": 1}

    @pytest.mark.parametrize("name", bench_db.__all__)
    def test_every_public_name_is_on_the_page(self, name: str) -> None:
        assert re.search(rf"`{name}`|bench_db\.{name}\b", PAGE.read_text("utf-8"))
