"""Whole jobs on Ray with small networks: results, bad input, refusals, kills and restarts."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from hashlib import sha256
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from PIL import Image
from torch import Tensor

from spadepis import ImageSet
from spadepis.cli import run_job
from spadepis.dataset.folder import STAGING, Folder
from spadepis.dataset.images import read_label_map, resize_label_map
from spadepis.labels import ADE20K
from spadepis.pipeline.config import Job

BOTH = Job.SYNTHESIZE_AND_STYLIZE


class Inputs:
    """Folders of label maps, instance maps and styles, and the flags of a job on them."""

    def __init__(self, folder: Path, spade: str, photowct: str) -> None:
        self.folder = folder
        self.masks = folder / "masks"
        self.instances = folder / "instances"
        self.styles = folder / "styles"
        self.checkpoints = [f"--spade-checkpoint={spade}", f"--photowct-checkpoint={photowct}"]

    def flags(self, output: Path, *more: str) -> list[str]:
        return [
            f"--masks={self.masks}",
            f"--instances={self.instances}",
            f"--styles={self.styles}",
            "--styles-per-mask=2",
            "--size=64x64",
            "--image-format=png",
            f"--output={output}",
            *self.checkpoints,
            *more,
        ]


@pytest.fixture
def inputs(
    tmp_path: Path,
    spade_checkpoint: str,
    photowct_checkpoint: str,
    make_label_maps: Callable[..., str],
    make_photos: Callable[..., str],
) -> Inputs:
    inputs = Inputs(tmp_path, spade_checkpoint, photowct_checkpoint)
    make_label_maps(inputs.masks, 6)
    make_label_maps(inputs.instances, 6)
    make_photos(inputs.styles, 3)
    return inputs


def contents(output: Path) -> dict[str, str]:
    """Hash of every file whose bytes may not depend on how often the job was stopped."""
    hashes = {}
    for path in sorted(output.rglob("*")):
        name = str(path.relative_to(output))
        if path.is_file() and not name.startswith(("_commits/", "_SUCCESS", "README")):
            hashes[name] = sha256(path.read_bytes()).hexdigest()
    return hashes


def test_images_label_maps_and_index(
    cluster: None, inputs: Inputs, capsys: pytest.CaptureFixture[str]
) -> None:
    output = inputs.folder / "out"
    assert run_job(BOTH, inputs.flags(output)) == 0
    assert "12 images of 6 scenes" in capsys.readouterr().out
    images = ImageSet(str(output))
    assert len(images) == 12
    rows = images.table.to_pylist()
    assert len({(row["mask_id"], row["style_id"]) for row in rows}) == 12
    for index, row in enumerate(rows):
        image, mask = images[index]
        assert image.shape == (3, 64, 64)
        raw = read_label_map(row["mask_source"], 10**6)
        assert mask is not None
        np.testing.assert_array_equal(mask, resize_label_map(raw, 64, 64))
        assert (output / row["content_file_name"]).exists()
    assert pq.read_table(output / "failures.parquet").num_rows == 0
    assert not (output / STAGING).exists()

    before = {path: path.stat().st_mtime_ns for path in output.rglob("*")}
    assert run_job(BOTH, inputs.flags(output)) == 0
    assert {path: path.stat().st_mtime_ns for path in output.rglob("*")} == before


def test_hugging_face_reads_the_set(cluster: None, inputs: Inputs, tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    output = inputs.folder / "out"
    assert run_job(BOTH, inputs.flags(output, "--limit=2")) == 0
    loaded = datasets.load_dataset(
        "imagefolder", data_dir=str(output), split="train", cache_dir=str(tmp_path / "cache")
    )
    table = pq.read_table(output / "metadata.parquet")
    assert loaded.num_rows == table.num_rows == 4
    for row, expected in zip(loaded, table.to_pylist(), strict=True):
        assert row["mask_id"] == expected["mask_id"]
        for column, name in (("image", "file_name"), ("mask", "mask_file_name")):
            with Image.open(output / expected[name]) as image:
                np.testing.assert_array_equal(np.asarray(row[column]), np.asarray(image))


def test_bad_inputs_are_failed_rows_and_all_else_is_done(
    cluster: None, inputs: Inputs, capsys: pytest.CaptureFixture[str]
) -> None:
    (inputs.masks / "mask000.png").write_bytes(b"no image")
    Image.new("RGB", (20, 20)).save(inputs.masks / "mask001.png")
    Image.new("L", (20, 20), 200).save(inputs.masks / "mask002.png")
    (inputs.instances / "mask003.png").unlink()
    (inputs.styles / "style1.jpg").write_bytes(b"no image")
    output = inputs.folder / "out"
    flags = inputs.flags(output, "--styles-per-mask=3")
    assert run_job(BOTH, flags) == 3
    assert "14 failed" in capsys.readouterr().out
    images = ImageSet(str(output))
    done = {(row["mask_id"], row["style_id"]) for row in images.table.to_pylist()}
    assert done == {
        (mask, style) for mask in ("mask004", "mask005") for style in ("style0", "style2")
    }
    failures = pq.read_table(output / "failures.parquet").to_pylist()
    reasons = {(row["mask_id"], row["style_id"]): row for row in failures}
    for mask, reason, source in (
        ("mask000", "not an image", inputs.masks / "mask000.png"),
        ("mask001", "this is a RGB image", inputs.masks / "mask001.png"),
        ("mask002", "raw value 200", inputs.masks / "mask002.png"),
        ("mask003", "cannot be read", inputs.instances / "mask003.png"),
    ):
        for style in ("style0", "style1", "style2"):
            row = reasons[mask, style]
            assert (row["stage"], row["source"]) == ("read", str(source))
            assert reason in row["message"]
    assert reasons["mask004", "style1"]["stage"] == "stylize"

    # Mended inputs are tried again only when asked for.
    Image.new("L", (20, 20), 100).save(inputs.masks / "mask002.png")
    assert run_job(BOTH, flags) == 3
    assert len(ImageSet(str(output))) == 4
    assert run_job(BOTH, [*flags, "--retry-failed", "--max-failed-fraction=0.9"]) == 0
    assert len(ImageSet(str(output))) == 6


def test_synthesize_in_another_label_space(
    cluster: None,
    tmp_path: Path,
    spade_weights: Callable[..., dict[str, Tensor]],
    make_label_maps: Callable[..., str],
) -> None:
    torch.save(spade_weights(ADE20K), tmp_path / "ade.pth")
    masks = make_label_maps(tmp_path / "masks", 3, top=151)
    flags = [f"--masks={masks}", f"--spade-checkpoint={tmp_path / 'ade.pth'}"]
    flags += ["--label-space=ade20k", f"--output={tmp_path / 'out'}"]
    assert run_job(Job.SYNTHESIZE, flags) == 0
    images = ImageSet(str(tmp_path / "out"))
    assert len(images) == 3
    assert images[0][0].shape == (3, 256, 256)
    assert images.table["style_id"].null_count == 3


def test_stylize_photos_with_their_label_maps(
    cluster: None,
    tmp_path: Path,
    photowct_checkpoint: str,
    make_photos: Callable[..., str],
) -> None:
    photos = make_photos(tmp_path / "photos", 2, width=90, height=50)
    make_photos(tmp_path / "photos" / "more", 1, width=33, height=47)
    for photo in sorted(Path(photos).rglob("*.jpg")):
        path = tmp_path / "masks" / photo.relative_to(photos).with_suffix(".png")
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", Image.open(photo).size, 3).save(path)
    flags = [f"--photos={photos}", f"--masks={tmp_path / 'masks'}"]
    flags += [f"--styles={photos}", f"--output={tmp_path / 'out'}", "--longest-side=60"]
    assert run_job(Job.STYLIZE, [*flags, f"--photowct-checkpoint={photowct_checkpoint}"]) == 0
    images = ImageSet(str(tmp_path / "out"))
    assert images.table["mask_id"].to_pylist() == ["more/style0", "style0", "style1"]
    for index, (height, width) in enumerate(((47, 33), (33, 60), (33, 60))):
        image, mask = images[index]
        assert image.shape == (3, height, width)
        assert mask is not None and mask.shape == (height, width)


def refusals(inputs: Inputs, output: Path) -> dict[str, Sequence[str]]:
    (inputs.folder / "empty").mkdir()
    return {
        "does not exist": inputs.flags(output, f"--masks={inputs.folder / 'none'}"),
        "holds no images": inputs.flags(output, f"--styles={inputs.folder / 'empty'}"),
        "unrecognized arguments: --stylez": inputs.flags(output, "--stylez=3"),
        "does not fit the label space ade20k: fc.weight": inputs.flags(
            output, "--label-space=ade20k"
        ),
        "not a PhotoWCT network": inputs.flags(
            output, inputs.checkpoints[0].replace("spade", "photowct", 1)
        ),
        "cannot be read": inputs.flags(output, "--spade-checkpoint=none.pth"),
        "workers are asked for": inputs.flags(output, "--smoothing-workers=9"),
        "holds 3": inputs.flags(output, "--styles-per-mask=4"),
    }


def test_what_cannot_be_run_is_one_line_and_nothing_is_written(
    cluster: None, inputs: Inputs, capsys: pytest.CaptureFixture[str]
) -> None:
    output = inputs.folder / "out"
    for reason, flags in refusals(inputs, output).items():
        assert run_job(BOTH, flags) == 2
        message = capsys.readouterr().err
        assert message.startswith("error: ")
        assert reason in message
        assert message.count("\n") == 1
        assert not output.exists()


def test_another_configuration_is_refused_with_the_difference(
    cluster: None, inputs: Inputs, capsys: pytest.CaptureFixture[str]
) -> None:
    output = inputs.folder / "out"
    assert run_job(BOTH, inputs.flags(output, "--limit=1")) == 0
    before = contents(output)
    capsys.readouterr()
    assert run_job(BOTH, inputs.flags(output, "--seed=5", "--styles-per-mask=1")) == 2
    message = capsys.readouterr().err
    assert "another configuration: seed was 0, is 5; styles_per_mask was 2, is 1" in message
    assert contents(output) == before
    # More of the same is not another configuration.
    assert run_job(BOTH, inputs.flags(output, "--limit=2")) == 0
    assert len(ImageSet(str(output))) == 4


def test_killed_and_started_again_gives_the_same_set(cluster: None, inputs: Inputs) -> None:
    whole, broken = inputs.folder / "whole", inputs.folder / "broken"
    assert run_job(BOTH, inputs.flags(whole)) == 0
    script = Path(__file__).parents[2] / "jobs" / "synthesize_and_stylize.py"
    # A cluster of its own, which dies with it.
    environment = {key: value for key, value in os.environ.items() if key != "RAY_ADDRESS"}
    process = subprocess.Popen(
        [sys.executable, str(script), *inputs.flags(broken)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=environment,
    )
    commits = Folder(str(broken))
    while not any(name.endswith(".parquet") for name in commits.names("_commits")):
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (broken / "_SUCCESS").exists()
    with pytest.raises(FileNotFoundError):
        ImageSet(str(broken))
    assert run_job(BOTH, inputs.flags(broken)) == 0
    assert contents(broken) == contents(whole)
