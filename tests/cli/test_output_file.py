from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bench_db.cli.output_file import entry, write

if TYPE_CHECKING:
    from pathlib import Path


def outputs(text: str) -> dict[str, str]:
    """Read a file of outputs as the runner of GitHub does: a value ends at the first line that is its delimiter."""
    lines, found = iter(text.split("\n")), dict[str, str]()
    for head in lines:
        if head:
            name, _, delimiter = head.partition("<<")
            found[name] = "\n".join(iter(lines.__next__, delimiter))
    return found


class TestEntry:
    """A runner reads every value as it was written, whatever its lines say."""

    @pytest.mark.parametrize(
        "value", ["", "x", "a\nb\n", "\n\n", "x\nEOF\nshould_run=true", "name<<EOF\n1\nEOF", "ünïcode \U0001f600"]
    )
    def test_read_back(self, value: str) -> None:
        assert outputs(entry("answer", value) + entry("next", "y")) == {"answer": value, "next": "y"}

    def test_a_value_with_the_delimiter_of_another(self) -> None:
        inner = entry("should_run", "true")
        assert outputs(entry("answer", inner)) == {"answer": inner}


class TestWrite:
    """Values are appended to the file of the step; outside a workflow no file is written."""

    def test_earlier_outputs_remain(self, tmp_path: Path) -> None:
        step = {"GITHUB_OUTPUT": str(tmp_path / "out")}
        write({"a": "1", "b": "two\nlines"}, step)
        write({"c": "ü"}, step)
        assert outputs((tmp_path / "out").read_text("utf-8")) == {"a": "1", "b": "two\nlines", "c": "ü"}

    @pytest.mark.parametrize("environment", [{}, {"GITHUB_OUTPUT": ""}])
    def test_outside_a_workflow(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, environment: dict[str, str]
    ) -> None:
        monkeypatch.chdir(tmp_path)
        write({"a": "1"}, environment)
        assert list(tmp_path.iterdir()) == []
