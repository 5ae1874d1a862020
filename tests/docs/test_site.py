"""The web site of the documentation is built without a warning, formulas and API included."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.markdown import ROOT, TEXTS


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)]
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    built = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert built.returncode == 0, built.stderr
    return folder


def test_every_document_is_a_page(site: Path) -> None:
    for text in TEXTS:
        page = Path(text.removesuffix("README.md").removesuffix("index.md").removesuffix(".md"))
        assert (site / page / "index.html").exists(), text


def test_public_names_are_described(site: Path) -> None:
    names = {
        "labels": ["COCO_STUFF", "LabelSpace", "instance_edges"],
        "spade": ["SpadeGenerator", "from_checkpoint"],
        "photowct": ["PhotoWCT", "encode_style", "stylize"],
        "smoothing": ["SmoothingSystem", "smooth"],
        "image_set": ["ImageSet", "where"],
        "quality": ["boundary_disagreement"],
    }
    for page, members in names.items():
        html = (site / "docs" / "api" / page / "index.html").read_text(encoding="utf-8")
        for member in members:
            assert f"{member}</" in html or f">{member}" in html, f"{page} lacks {member}"


def test_formulas_are_mathml(site: Path) -> None:
    html = (site / "docs" / "mathematics" / "index.html").read_text(encoding="utf-8")
    assert html.count("<math") > 50
    assert "arithmatex" not in html
