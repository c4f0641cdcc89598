from __future__ import annotations

from typing import TYPE_CHECKING, Any

import nbformat
import pytest
from nbclient import NotebookClient

from tests.repository.tree import ROOT

if TYPE_CHECKING:
    from pathlib import Path

NOTEBOOK = ROOT / "docs/notebook.ipynb"


def shown(cell: Any) -> dict[str, Any]:
    """Return what a cell shows at its end, by media type."""
    return next((dict(one["data"]) for one in cell["outputs"] if one["output_type"] == "execute_result"), {})


@pytest.mark.slow
def test_the_notebook_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each cell runs in a kernel, answers are tables, and `.plot()` is a chart with data."""
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    notebook = nbformat.read(NOTEBOOK, as_version=4)  # type: ignore[no-untyped-call]
    nbformat.validate(notebook)
    assert not any(cell.get("outputs") for cell in notebook.cells), "clear the outputs before a commit"
    NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(tmp_path)}}).execute()
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert "<table" in shown(code[0])["text/html"]
    charts = [cell for cell in code if cell.source.rstrip().endswith(".plot()")]
    assert len(charts) == 4
    for cell in charts:
        page = shown(cell)["text/html"]
        assert "vegaEmbed" in page, cell.source
        assert '"series": ' in page, cell.source  # a chart without rows shows nothing
