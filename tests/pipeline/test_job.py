"""Whole jobs on Ray with small networks: results, bad input and refusals."""

import json
import logging
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path

import datasets
import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from PIL import Image
from torch import Tensor

from spadepis import ImageSet
from spadepis.cli.main import inspect_image_set, run_job
from spadepis.dataset.inputs.label_maps import read_label_map, resize_label_map
from spadepis.dataset.storage.folder import STAGING
from spadepis.labels import ADE20K
from spadepis.pipeline.config.job import Job

BOTH = Job.SYNTHESIZE_AND_STYLIZE


@dataclass(frozen=True)
class Inputs:
    """A folder of label maps, instance maps and styles, and the flags of a job on them."""

    folder: Path
    checkpoints: Sequence[str]

    def flags(self, output: Path, *more: str) -> list[str]:
        return [
            f"--masks={self.folder / 'masks'}",
            f"--instances={self.folder / 'instances'}",
            f"--styles={self.folder / 'styles'}",
            "--styles-per-mask=2",
            "--size=64x64",
            "--image-format=png",
            f"--output={output}",
            *self.checkpoints,
            *more,
        ]


@pytest.fixture(scope="module")
def inputs(
    tmp_path_factory: pytest.TempPathFactory,
    spade_checkpoint: str,
    photowct_checkpoint: str,
    make_label_maps: Callable[..., str],
    make_photos: Callable[..., str],
) -> Inputs:
    folder = tmp_path_factory.mktemp("inputs")
    make_label_maps(folder / "masks", 6)
    make_label_maps(folder / "instances", 6)
    make_photos(folder / "styles", 3)
    checkpoints = [f"--spade-checkpoint={spade_checkpoint}"]
    return Inputs(folder, [*checkpoints, f"--photowct-checkpoint={photowct_checkpoint}"])


@pytest.fixture(scope="module")
def finished(cluster: None, inputs: Inputs) -> Path:
    """The output of a job that ran undisturbed."""
    output = inputs.folder / "finished"
    assert run_job(BOTH, inputs.flags(output)) == 0
    return output


def times(output: Path) -> dict[Path, int]:
    """When each file and folder was last written to."""
    return {path: path.stat().st_mtime_ns for path in output.rglob("*")}


def test_images_label_maps_and_index(finished: Path) -> None:
    images = ImageSet(str(finished))
    assert len(images) == 12
    rows = images.table.to_pylist()
    assert len({(row["mask_id"], row["style_id"]) for row in rows}) == 12
    for index, row in enumerate(rows):
        image, mask = images[index]
        assert image.shape == (3, 64, 64)
        raw = read_label_map(row["mask_source"], 10**6)
        assert mask is not None
        np.testing.assert_array_equal(mask, resize_label_map(raw, 64, 64))
        assert (finished / row["content_file_name"]).exists()
    assert pq.read_table(finished / "failures.parquet").num_rows == 0
    assert not (finished / STAGING).exists()
    manifest = json.loads((finished / "_SUCCESS").read_text())
    assert (manifest["pairs"], manifest["done"], manifest["failed"]) == (12, 12, 0)
    stages = ["read", "synthesize", "stylize", "smooth", "assess", "write"]
    assert list(manifest["seconds_per_image"]) == stages


def test_second_run_does_nothing_and_says_so(
    finished: Path, inputs: Inputs, caplog: pytest.LogCaptureFixture
) -> None:
    before = times(finished)
    with caplog.at_level(logging.INFO):
        assert run_job(BOTH, inputs.flags(finished)) == 0
    assert "nothing to do: all 12 pairs" in caplog.text
    assert times(finished) == before


def test_a_finished_set_is_split_anew_without_any_work(
    finished: Path, inputs: Inputs, tmp_path: Path
) -> None:
    output = tmp_path / "out"
    shutil.copytree(finished, output)
    before = times(output / "images")
    for rule, splits in (("0.5", 2), ("mask000,mask001", 2), ("none*", 1), (None, 0)):
        more = [] if rule is None else [f"--split-by={rule}"]
        assert run_job(BOTH, inputs.flags(output, *more)) == 0
        assert len(list(output.glob("metadata-*.parquet"))) == splits
        assert json.loads((output / "_SUCCESS").read_text())["split_by"] == rule
    assert times(output / "images") == before


def test_a_narrower_run_does_not_give_up_what_it_would_not_make(
    finished: Path, inputs: Inputs, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "out"
    shutil.copytree(finished, output)
    (lost, *_) = sorted(output.glob("images/*/mask005/*"))
    content = lost.read_bytes()
    lost.unlink()
    before = {path: path.read_bytes() for path in output.rglob("*.*") if path.is_file()}
    assert run_job(BOTH, inputs.flags(output, "--limit=3")) == 2
    assert "does not make, 1 in all, e.g. of mask005" in capsys.readouterr().err
    assert {path: path.read_bytes() for path in before} == before
    # Of a damaged log nobody knows what it recorded: no image without a row is removed.
    lost.write_bytes(content)
    (commits,) = (output / "_commits").glob("*.parquet")
    commits.write_bytes(commits.read_bytes()[:-9])
    assert run_job(BOTH, inputs.flags(output, "--limit=3")) == 0
    assert len(list(output.glob("images/*/*/*"))) == 12
    assert run_job(BOTH, inputs.flags(output)) == 0
    assert len(ImageSet(str(output))) == 12 and lost.read_bytes() == content


def test_inspect_shows_what_is_there(
    finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert inspect_image_set(str(finished)) == 0
    assert "12 images of 6 scenes" in capsys.readouterr().out
    assert inspect_image_set(str(tmp_path)) == 2
    assert "holds no image set" in capsys.readouterr().err


def test_hugging_face_reads_the_set(finished: Path, tmp_path: Path) -> None:
    loaded = datasets.load_dataset(str(finished), split="train", cache_dir=str(tmp_path / "cache"))
    table = pq.read_table(finished / "metadata.parquet")
    assert loaded.num_rows == table.num_rows == 12
    for row, expected in zip(loaded, table.to_pylist(), strict=True):
        assert row["mask_id"] == expected["mask_id"]
        for column, name in (("image", "file_name"), ("mask", "mask_file_name")):
            with Image.open(finished / expected[name]) as image:
                np.testing.assert_array_equal(np.asarray(row[column]), np.asarray(image))


def test_parquet_holds_the_same_images(
    finished: Path, inputs: Inputs, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "out"
    flags = inputs.flags(output, "--output-format=parquet", "--limit=3", "--keep-instances")
    assert run_job(BOTH, [*flags, "--split-by=mask001"]) == 0
    assert inspect_image_set(str(output), verify=True) == 0
    assert ": 0 problems" in capsys.readouterr().out
    assert not (output / "images").exists()

    rows = pq.read_table(output / "data").to_pylist()
    assert len({(row["mask_id"], row["style_id"]) for row in rows}) == len(rows) == 6
    for row in rows:
        for cell in (row["image"], row["mask"], row["content"]):
            assert cell["bytes"] == (finished / cell["path"]).read_bytes()

    # The card leads Hugging Face's reader to the shards, and says which split each belongs to.
    loaded = datasets.load_dataset(str(output), cache_dir=str(tmp_path / "cache"))
    images = ImageSet(str(output), return_instances=True)
    assert {split: set(rows["mask_id"]) for split, rows in loaded.items()} == {
        "train": {"mask000", "mask002"},
        "validation": {"mask001"},
    }
    assert sum(rows.num_rows for rows in loaded.values()) == len(images) == 6
    for row in chain.from_iterable(loaded.values()):
        alike = images.where(mask_id=row["mask_id"], style_id=row["style_id"])
        assert len(alike) == 1
        image, mask, instances = alike[0]
        assert mask is not None and instances is not None
        np.testing.assert_array_equal(image.permute(1, 2, 0), row["image"])
        np.testing.assert_array_equal(mask, row["mask"])
        np.testing.assert_array_equal(instances, row["instance"])
        ids = read_label_map(str(inputs.folder / "instances" / f"{row['mask_id']}.png"), 10**6)
        np.testing.assert_array_equal(instances, resize_label_map(ids, 64, 64))
    # Another rule would need other shards.
    assert run_job(BOTH, [*flags, "--split-by=0.5"]) == 2
    assert "--split-by was mask001, is 0.5" in capsys.readouterr().err


def test_bad_inputs_are_failed_rows_and_all_else_is_done(
    cluster: None, inputs: Inputs, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("masks", "instances", "styles"):
        shutil.copytree(inputs.folder / name, tmp_path / name)
    inputs = replace(inputs, folder=tmp_path)
    masks, instances = tmp_path / "masks", tmp_path / "instances"
    (masks / "mask000.png").write_bytes(b"no image")
    Image.new("RGB", (20, 20)).save(masks / "mask001.png")
    Image.new("L", (20, 20), 200).save(masks / "mask002.png")
    (instances / "mask003.png").unlink()
    (tmp_path / "styles/style1.jpg").write_bytes(b"no image")
    output = tmp_path / "out"
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
        ("mask000", "not an image", masks / "mask000.png"),
        ("mask001", "this is a RGB image", masks / "mask001.png"),
        ("mask002", "raw value 200", masks / "mask002.png"),
        ("mask003", "cannot be read", instances / "mask003.png"),
    ):
        for style in ("style0", "style1", "style2"):
            row = reasons[mask, style]
            assert (row["stage"], row["source"]) == ("read", str(source))
            assert reason in row["message"]
    assert reasons["mask004", "style1"]["stage"] == "stylize"

    # Mended inputs are tried again only when asked for.
    Image.new("L", (20, 20), 100).save(masks / "mask002.png")
    assert run_job(BOTH, flags) == 3
    assert len(ImageSet(str(output))) == 4
    assert run_job(BOTH, [*flags, "--retry-failed", "--max-failed-fraction=0.9"]) == 0
    assert len(ImageSet(str(output))) == 6


def test_synthesize_some_and_then_all_in_another_label_space(
    cluster: None,
    tmp_path: Path,
    spade_weights: Callable[..., dict[str, Tensor]],
    make_label_maps: Callable[..., str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    torch.save(spade_weights(ADE20K), tmp_path / "ade.pth")
    masks = make_label_maps(tmp_path / "masks", 3, top=151)
    flags = [f"--masks={masks}", f"--spade-checkpoint={tmp_path / 'ade.pth'}"]
    flags += ["--label-space=ade20k", f"--output={tmp_path / 'out'}"]
    assert run_job(Job.SYNTHESIZE, [*flags, "--limit=1"]) == 0
    assert len(ImageSet(str(tmp_path / "out"))) == 1

    # More of the same is not another configuration; stopped just before the index is written, the
    # old one does not pass for the whole.
    def killed(*arguments: object) -> None:
        raise SystemExit

    with monkeypatch.context() as patch, pytest.raises(SystemExit):
        patch.setattr("spadepis.pipeline.ending.write_index", killed)
        run_job(Job.SYNTHESIZE, flags)
    assert not (tmp_path / "out/_SUCCESS").exists()
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


def test_what_cannot_be_run_is_one_line_and_nothing_is_written(
    cluster: None, inputs: Inputs, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output, empty = tmp_path / "out", tmp_path / "empty"
    empty.mkdir()
    spade, photowct = (flag.partition("=")[2] for flag in inputs.checkpoints)
    for flag, reason in {
        f"--masks={tmp_path / 'none'}": "does not exist",
        f"--styles={empty}": "holds no images",
        "--stylez=3": "--stylez is no setting of",
        "--label-space=cityscapes": "no label map can be used",
        "--label-space=cityscapes --accept-implausible": "does not fit the label space",
        f"--photowct-checkpoint={spade}": "not a PhotoWCT network",
        f"--spade-checkpoint={photowct}": "not a SPADE generator",
        "--spade-checkpoint=none.pth": "none.pth: there is no such file",
        "--smoothing-workers=9": "9 workers are asked for, the cluster has 2 CPUs",
        "--device=cuda": "the cluster has no GPU",
        "--styles-per-mask=4": "holds 3",
        f"--output={spade}": "cannot be written",
    }.items():
        assert run_job(BOTH, inputs.flags(output, *flag.split())) == 2
        message = capsys.readouterr().err
        assert message.startswith("error: ")
        assert reason in message
        assert message.count("\n") == 1
        assert not output.exists()


def test_another_configuration_is_refused_with_the_difference(
    finished: Path, inputs: Inputs, capsys: pytest.CaptureFixture[str]
) -> None:
    before = times(finished)
    assert run_job(BOTH, inputs.flags(finished, "--seed=5", "--styles-per-mask=1")) == 2
    message = capsys.readouterr().err
    assert "another configuration: --seed was 0, is 5; --styles-per-mask was 2, is 1" in message
    assert times(finished) == before
