"""The Python of the texts runs, on small made-up things in place of what a user has."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from spadepis.dataset.encoding import encode_png
from spadepis.dataset.image_set.commits import Commit, to_table
from spadepis.dataset.image_set.index import write_index
from spadepis.dataset.image_set.writer import Encoded, ImageSetWriter
from spadepis.dataset.storage.folder import Folder
from spadepis.quality.metrics import METRICS
from tests.docs.markdown import TEXTS, fenced_blocks, read

EXAMPLES = [
    pytest.param(block, id=f"{text}-{number}")
    for text in TEXTS
    for number, block in enumerate(fenced_blocks(read(text), "python"), start=1)
]
# Places outside of the folder that an example runs in, and what stands for them.
PLACES = {"s3://bucket/out": "out", "/var/tmp/images": "cache"}
# Examples that are not run, by a line of theirs.
NOT_RUN = {
    'datasets.load_dataset("out")': "tests/pipeline/test_job.py runs it, on a set in shards",
}


@pytest.fixture
def project(
    tmp_path: Path, spade_checkpoint: str, photowct_checkpoint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder with an image set and checkpoints of the names that examples use."""
    (tmp_path / "latest_net_G.pth").symlink_to(spade_checkpoint)
    (tmp_path / "photo_wct.pth").symlink_to(photowct_checkpoint)
    folder = Folder(str(tmp_path / "out"))
    writer = ImageSetWriter(folder, "jpg", 95)
    random = np.random.default_rng(0)
    pairs = []
    for style in ("dusk-01", "dusk-02", "fog-01"):
        image = writer.encode(random.integers(0, 255, (512, 512, 3), dtype=np.uint8))
        mask = encode_png(random.integers(0, 182, (512, 512), dtype=np.uint8))
        details: dict[str, Any] = {"height": 512, "width": 512, "classes": ["car", "road"]}
        details["quality"] = dict.fromkeys(METRICS, 0.5)
        commit = Commit("a", style, "a.png", f"{style}.jpg", **details)
        pairs.append(Encoded(commit, image, mask, image))
    write_index(folder, to_table(writer.publish(pairs)), {"README.md": "card"}, {"pairs": 3})
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def names() -> dict[str, Any]:
    """What examples speak of and do not make."""
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
    """Run the one example of a text that has a line."""
    (example,) = (block for block in fenced_blocks(read(text), "python") if line in block)
    run(example, names)


@pytest.mark.usefixtures("project")
def test_the_parts_give_what_the_readme_says(names: dict[str, Any]) -> None:
    run_with("import smooth", "README.md", names)
    assert names["photo"].shape == (2, 3, 64, 64)
    assert names["stylized"].shape == (1, 3, 48, 64)
    assert names["smoothed"].shape == (2, 48, 64, 3)


@pytest.mark.usefixtures("project")
def test_the_image_set_gives_what_the_texts_say(names: dict[str, Any]) -> None:
    run_with("s3://bucket/out", "docs/using_the_image_set.md", names)
    assert (len(names["images"]), len(names["dusk"]), len(names["large"])) == (3, 2, 3)
    assert names["images"][0][0].shape == (3, 224, 224)


def test_little_is_left_out() -> None:
    examples = [str(example.values[0]) for example in EXAMPLES]
    left_out = [example for example in examples if any(line in example for line in NOT_RUN)]
    assert len(examples) >= 4
    assert len(left_out) == len(NOT_RUN)
