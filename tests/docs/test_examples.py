"""The Python examples of the documents run, on small made-up inputs."""

from pathlib import Path
from typing import Any

import pytest
import torch

from tests.docs.image_sets import write_image_set
from tests.docs.markdown import TEXTS, fenced_blocks, read

EXAMPLES = [
    pytest.param(block, id=f"{text}-{number}")
    for text in TEXTS
    # The walks in ``examples`` are taken whole by ``test_walks.py``.
    if not text.startswith("examples/")
    for number, block in enumerate(fenced_blocks(read(text), "python"), start=1)
]
# Paths outside the folder that an example runs in, and what replaces them.
PLACES = {"s3://bucket/out": "out", "/var/tmp/images": "cache"}
# Examples that are not run, by one of their lines.
NOT_RUN = {
    'datasets.load_dataset("out"': "tests/report/test_card.py runs it on files and on shards",
}


@pytest.fixture
def project(
    tmp_path: Path, spade_checkpoint: str, photowct_checkpoint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder with an image set and checkpoints, named as in the examples."""
    (tmp_path / "latest_net_G.pth").symlink_to(spade_checkpoint)
    (tmp_path / "photo_wct.pth").symlink_to(photowct_checkpoint)
    write_image_set(tmp_path / "out", size=512)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def names() -> dict[str, Any]:
    """Variables that examples use and do not define."""
    random = torch.Generator().manual_seed(0)
    return {
        "labels": torch.randint(183, (2, 64, 64), generator=random),
        "edges": torch.zeros(2, 64, 64, dtype=torch.bool),
        "content": torch.rand(3, 48, 64, generator=random),
        "style_photo": torch.rand(3, 32, 40, generator=random),
        "content_hwc": torch.rand(48, 64, 3, generator=random).numpy(),
        "stylized_khwc": torch.rand(2, 48, 64, 3, generator=random).numpy(),
    }


@pytest.mark.usefixtures("project")
@pytest.mark.parametrize("example", EXAMPLES)
def test_the_example_runs(example: str, names: dict[str, Any]) -> None:
    for line, reason in NOT_RUN.items():
        if line in example:
            pytest.skip(reason)
    run(example, names)


def run(example: str, names: dict[str, Any]) -> None:
    for place, instead in PLACES.items():
        example = example.replace(place, instead)
    exec(compile(example, "<example>", "exec"), names)


def run_with(line: str, text: str, names: dict[str, Any]) -> None:
    """Run the one example in a document that contains ``line``."""
    (example,) = (block for block in fenced_blocks(read(text), "python") if line in block)
    run(example, names)


@pytest.mark.usefixtures("project")
def test_the_parts_give_what_their_page_says(names: dict[str, Any]) -> None:
    run_with("import smooth", "docs/parts.md", names)
    assert names["photo"].shape == (2, 3, 64, 64)
    assert names["stylized"].shape == (1, 3, 48, 64)
    assert names["smoothed"].shape == (2, 48, 64, 3)


@pytest.mark.usefixtures("project")
def test_the_image_set_gives_what_its_page_says(names: dict[str, Any]) -> None:
    run_with("s3://bucket/out", "docs/using_the_image_set.md", names)
    assert (len(names["images"]), len(names["dusk"]), len(names["large"])) == (3, 2, 3)
    assert names["images"][0][0].shape == (3, 224, 224)


def test_little_is_left_out() -> None:
    examples = [str(example.values[0]) for example in EXAMPLES]
    left_out = [example for example in examples if any(line in example for line in NOT_RUN)]
    assert len(examples) >= 4
    assert len(left_out) == len(NOT_RUN)
