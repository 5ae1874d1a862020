"""What is installed: the package with its data, and nothing of what is beside it."""

import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile

import pytest

ROOT = Path(__file__).parents[2]
DATA = {
    "spadepis/py.typed",
    "spadepis/checkpoints/models/spade_coco_stuff.safetensors",
    "spadepis/checkpoints/models/photowct.safetensors",
    "spadepis/demo/inputs/masks/coast.png",
    "spadepis/labels/related/coco-stuff.yaml",
    "spadepis/report/report.html.jinja",
}


@pytest.fixture(scope="module")
def names(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """The files of the wheel."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "--target=wheel"]
    subprocess.run([*command, f"--directory={folder}"], cwd=ROOT, check=True, capture_output=True)
    (wheel,) = folder.glob("*.whl")
    with ZipFile(wheel) as archive:
        return set(archive.namelist())


def test_the_wheel_has_the_package_and_its_data(names: set[str]) -> None:
    modules = {str(path.relative_to(ROOT)) for path in (ROOT / "spadepis").rglob("*.py")}
    assert len(modules) > 50
    assert modules | DATA <= names


def test_the_wheel_has_neither_tools_nor_tests(names: set[str]) -> None:
    folders = {name.partition("/")[0] for name in names}
    assert "spadepis" in folders and len(folders) == 2
    assert all(folder == "spadepis" or folder.endswith(".dist-info") for folder in folders)
