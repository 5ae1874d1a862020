"""The notebooks under examples run, on small inputs, and are stored without outputs."""

from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

from tests.docs.image_sets import write_image_set
from tests.docs.markdown import ROOT

NOTEBOOKS = sorted((ROOT / "examples").glob("*.ipynb"))
# What the cell with the tag "parameters" is replaced by.
PARAMETERS = {
    "numeric_parts": 'SIZE = 64\nSCENE = "coast"\nSTYLES = ["dusk", "snow"]',
    "image_set_in_training": 'IMAGE_SET = "out"\nSTEPS = 3\nCROP = 32',
}
SECONDS = 120


def read(path: Path) -> Any:
    return nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_it_runs(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_image_set(tmp_path / "out", size=64)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    notebook = read(path)
    tagged = [cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", ())]
    assert len(tagged) == 1
    tagged[0].source = PARAMETERS[path.stem]
    context = {"metadata": {"path": str(tmp_path)}}
    NotebookClient(notebook, timeout=SECONDS, resources=context).execute()
    assert any("image/png" in output.get("data", {}) for output in outputs(notebook))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_no_outputs_are_stored(path: Path) -> None:
    notebook = read(path)
    assert not outputs(notebook)
    assert all(cell.execution_count is None for cell in notebook.cells if cell.cell_type == "code")


def outputs(notebook: Any) -> list[Any]:
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    return [output for cell in code for output in cell.outputs]


def test_every_notebook_has_parameters() -> None:
    assert {path.stem for path in NOTEBOOKS} == set(PARAMETERS)
