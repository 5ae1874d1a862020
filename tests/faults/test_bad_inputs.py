"""Folders whose every second file is bad: those fail, with the right reason; all else is done."""

import os
import re
from collections.abc import Mapping
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from PIL import Image

from spadepis import ImageSet
from spadepis.cli.main import inspect_image_set, run_job
from spadepis.dataset.inputs.listing import SourceError, list_images
from spadepis.pipeline.config.job import Job
from tests.support.bad_inputs import (
    BROKEN,
    NO_INSTANCE_MAP,
    NO_LABEL_MAP,
    PHOTO,
    PNG,
    SOUND_LABEL_MAPS,
    SOUND_PHOTOS,
    BadInput,
)

STYLE = "style"


def test_there_are_enough_bad_inputs() -> None:
    assert len({**BROKEN, **NO_LABEL_MAP, **NO_INSTANCE_MAP}) > 50


def write_all(folder: Path, bad: Mapping[str, BadInput], sound: Mapping[str, bytes]) -> list[str]:
    """Write bad files and as many sound ones, with ``sound`` among them, and return their ids."""
    folder.mkdir(exist_ok=True)
    for name, file in bad.items():
        file.make(folder / f"{name}.png")
    plain = {f"sound {i}": PNG for i in range(len(bad) - len(sound))}
    for name, content in {**sound, **plain}.items():
        (folder / f"{name}.png").write_bytes(content)
    return [*sound, *plain]


def check(
    output: Path, bad: Mapping[str, BadInput], folder: Path, sound: list[str], printed: str
) -> None:
    """Check that every sound pair is done and every bad one failed as it should."""
    assert f"{len(bad)} failed" in printed
    # A name with a newline and what clears a terminal is among the examples.
    assert r"a\nb\t\x1b[2Jc.png" in printed and "\x1b" not in printed
    rows = pq.read_table(output / "failures.parquet").to_pylist()
    failures = {row["mask_id"]: row for row in rows}
    assert len(rows) == len(failures) and failures.keys() == bad.keys()
    wrong = {
        id: failures[id]["message"]
        for id, file in bad.items()
        if not re.search(file.reason, failures[id]["message"])
    }
    assert not wrong
    assert {row["stage"] for row in rows} == {"read"}
    images = ImageSet(str(output))
    assert sorted(images.table["mask_id"].to_pylist()) == sorted(sound)
    assert all(images[i][0].shape == (3, 32, 32) for i in range(len(images)))
    assert inspect_image_set(str(output), verify=True) == 0
    assert {row["source"] for row in rows} >= {
        str(folder / f"{id}.png") for id in bad.keys() - NO_INSTANCE_MAP.keys()
    }


@pytest.fixture
def styles(tmp_path: Path) -> str:
    (tmp_path / "styles").mkdir()
    Image.fromarray(PHOTO).save(tmp_path / "styles" / f"{STYLE}.png")
    return str(tmp_path / "styles")


def test_bad_label_maps_and_instance_maps(
    cluster: None,
    tmp_path: Path,
    spade_checkpoint: str,
    photowct_checkpoint: str,
    styles: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    masks, instances, output = (tmp_path / name for name in ("masks", "instances", "out"))
    bad_masks = {**BROKEN, **NO_LABEL_MAP}
    sound = write_all(masks, bad_masks, SOUND_LABEL_MAPS)
    sound += write_all(masks, {}, {f"sound with {i}": PNG for i in range(len(NO_INSTANCE_MAP))})
    write_all(masks, {}, dict.fromkeys(NO_INSTANCE_MAP, PNG))
    write_all(instances, NO_INSTANCE_MAP, dict.fromkeys([*bad_masks, *sound], PNG))
    # A folder is none of the files in it.
    (masks / "folder.png").mkdir()
    flags = [f"--masks={masks}", f"--instances={instances}", f"--styles={styles}"]
    flags += ["--size=32x32", "--image-format=png", f"--output={output}"]
    flags += [f"--spade-checkpoint={spade_checkpoint}"]
    flags += [f"--photowct-checkpoint={photowct_checkpoint}"]
    assert run_job(Job.SYNTHESIZE_AND_STYLIZE, flags) == 3
    check(output, {**bad_masks, **NO_INSTANCE_MAP}, masks, sound, capsys.readouterr().out)


def test_bad_photos(
    cluster: None,
    tmp_path: Path,
    photowct_checkpoint: str,
    styles: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    photos, output = tmp_path / "photos", tmp_path / "out"
    sound = write_all(photos, BROKEN, SOUND_PHOTOS)
    flags = [f"--photos={photos}", f"--styles={styles}", "--size=32x32", "--image-format=png"]
    flags += [f"--photowct-checkpoint={photowct_checkpoint}", f"--output={output}"]
    assert run_job(Job.STYLIZE, flags) == 3
    check(output, BROKEN, photos, sound, capsys.readouterr().out)


@pytest.mark.parametrize("name", ["a.tar", "a.parquet"])
def test_a_pipe_is_no_shard(name: str, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / name)
    with pytest.raises(SourceError, match="not a regular file"):
        list_images(str(tmp_path))
