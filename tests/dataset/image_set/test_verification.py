"""Image sets in both forms: written, damaged, verified, read back, trained on."""

import io
import json
import pickle
import runpy
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from itertools import chain
from pathlib import Path

import datasets
import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
import torch
from torch.utils.data import DataLoader
from torchvision.transforms import v2

from spadepis import ImageSet
from spadepis.cli.main import inspect_image_set
from spadepis.dataset.image_set.commit_log import (
    commit_files,
    compact,
    read_commits,
    read_log,
    write_commits,
)
from spadepis.dataset.image_set.commits import Commit, done
from spadepis.dataset.image_set.index import write_index
from spadepis.dataset.image_set.layout import COMMAND, CONFIGURATION, PLAN, object_name
from spadepis.dataset.image_set.lease import hold
from spadepis.dataset.image_set.orphans import named_objects, orphans, remove_orphans
from spadepis.dataset.image_set.verification import verify
from spadepis.dataset.image_set.writer import ImageSetWriter
from spadepis.dataset.storage.folder import Folder
from spadepis.labels import COCO_STUFF
from spadepis.pipeline.scene import Scene, Style
from spadepis.pipeline.stages.write import Write

SIZE = 32


def scene(index: int) -> Scene:
    generator = np.random.default_rng(index)
    label_map = np.kron(generator.integers(0, 100, (2, 2)), np.ones((16, 16))).astype(np.uint8)
    # Colours follow from labels, so that there is something to learn.
    content = np.stack([label_map * 2, 255 - label_map, label_map], -1).astype(np.uint8)
    styles = [Style(f"s{style}", f"s{style}.jpg") for style in range(2)]
    results = [content, content // 2]
    return Scene(
        f"m{index}",
        styles,
        mask_source=f"m{index}.png",
        label_map=label_map,
        content=content,
        results=results,
        seconds={"read": 0.1},
    )


def write(folder: Folder, in_shards: bool, *batches: range) -> None:
    stage = Write(ImageSetWriter(folder, "png", 95, in_shards), COCO_STUFF, keep_contents=True)
    for batch in batches:
        stage([scene(index) for index in batch])


def finish(folder: Folder) -> None:
    log = compact(folder)
    folder.write(CONFIGURATION, b'{"seed": 0}')
    remove_orphans(folder, log, None)
    write_index(folder, log, {}, {"status": "complete"})


@pytest.fixture(params=["local", "memory"])
def empty(request: pytest.FixtureRequest, tmp_path: Path) -> Folder:
    local = request.param == "local"
    return Folder(str(tmp_path / "out") if local else f"memory://{tmp_path.name}")


@pytest.fixture(params=[False, True], ids=["files", "shards"])
def in_shards(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


@pytest.fixture
def folder(empty: Folder, in_shards: bool) -> Folder:
    write(empty, in_shards, range(0, 3), range(3, 5))
    finish(empty)
    return empty


def problems(folder: Folder) -> dict[str, str]:
    found = chain.from_iterable(verify(folder, read_log(folder)))
    return {problem.name: problem.text for problem in found}


def test_both_forms_read_back_as_written(folder: Folder, in_shards: bool) -> None:
    images = ImageSet(folder.uri)
    assert len(images) == 10
    for index, row in enumerate(images.table.to_pylist()):
        image, mask = images[index]
        expected = scene(int(row["mask_id"][1:]))
        result = expected.results[int(row["style_id"][1:])]
        np.testing.assert_array_equal(image.permute(1, 2, 0), result)
        assert mask is not None and expected.label_map is not None
        np.testing.assert_array_equal(mask, COCO_STUFF.encode(expected.label_map))
    assert len(named_objects(read_log(folder))) == (2 if in_shards else 10 + 5 + 5)
    assert problems(folder) == {}
    assert inspect_image_set(folder.uri, verify=True) == 0


def test_rows_have_the_sizes_of_their_objects(folder: Folder) -> None:
    for commit in read_commits(folder):
        names = (commit.file_name, commit.mask_file_name, commit.content_file_name)
        sizes = (commit.image_bytes, commit.mask_bytes, commit.content_bytes)
        assert [len(folder.read(object_name(str(name)))) for name in names] == list(sizes)


def test_damage_is_found(folder: Folder, in_shards: bool) -> None:
    names = sorted(named_objects(read_log(folder)))
    folder.write(names[0], folder.read(names[0])[:100])
    folder.remove(names[1])
    folder.write("data/part-none.parquet" if in_shards else "images/none.png", b"")
    found = problems(folder)
    assert set(found) == set(names[:2])
    assert found[names[1]] == "missing"
    assert len(orphans(folder, read_log(folder))) == 1
    assert inspect_image_set(folder.uri, verify=True) == 1
    # Without a look at the images there is nothing to find.
    assert inspect_image_set(folder.uri) == 0


def test_another_image_in_the_place_of_one(tmp_path: Path) -> None:
    folder = Folder(str(tmp_path))
    write(folder, False, range(2))
    finish(folder)
    first, second = sorted(name for name in named_objects(read_log(folder)) if "masks" in name)
    folder.write(first, folder.read(second))
    assert list(problems(folder).values()) == ["is not what was written (another SHA-256)"]


def test_a_writer_that_comes_again_with_other_batches(empty: Folder, in_shards: bool) -> None:
    write(empty, in_shards, range(0, 3), range(3, 5))
    rows = read_log(empty).select(["mask_id", "style_id"])
    write(empty, in_shards, range(1, 4), range(0, 3))
    finish(empty)
    assert read_log(empty).select(["mask_id", "style_id"]).equals(rows)
    assert problems(empty) == {}
    assert orphans(empty, read_log(empty)) == []


def failing(*indices: int) -> list[Scene]:
    """A batch of scenes that all fail."""
    scenes = [scene(index) for index in indices]
    for each in scenes:
        each.fail("smooth", None, ValueError("why"))
        each.results = []
    return scenes


def held_back(
    folder: Folder, in_shards: bool, monkeypatch: pytest.MonkeyPatch, *batches: range
) -> Callable[[], None]:
    """Write scenes, and return what commits them."""
    late: list[list[Commit]] = []
    with monkeypatch.context() as patch:
        patch.setattr(
            "spadepis.pipeline.stages.write.write_commits",
            lambda _, commits: late.append(commits),
        )
        write(folder, in_shards, *batches)

    def commit() -> None:
        for commits in late:
            write_commits(folder, commits)

    return commit


def moment(folder: Folder) -> datetime:
    """The present, by the clock of the filesystem, which may have ticks of some milliseconds."""
    time.sleep(0.05)
    with hold(folder, "identity") as lease:
        time.sleep(0.05)
        return lease.since


def test_orphans_that_were_there_before_go_at_the_end(
    empty: Folder, in_shards: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    held_back(empty, in_shards, monkeypatch, range(0, 2), range(2, 3))
    assert len(orphans(empty, read_log(empty))) == (2 if in_shards else 6 + 3 + 3)
    before = moment(empty)
    # Of the three scenes one is done after all, one fails, and one is not asked for any more.
    write(empty, in_shards, range(2, 3))
    stage = Write(ImageSetWriter(empty, "png", 95, in_shards), COCO_STUFF, keep_contents=True)
    stage(failing(1))
    log = compact(empty)
    remove_orphans(empty, log, before)
    assert set(named_objects(log)) == {name for name in empty.names() if "_commits" not in name}
    assert problems(empty) == {}


def test_what_no_writer_wrote_is_never_removed(empty: Folder, in_shards: bool) -> None:
    theirs = ["images/a.png", "masks/town/a.png", "contents/a.jpg", "data/part-1.parquet"]
    theirs += ["images/ab/a/b.png", "masks/ab/a.png", "contents/ab/a/b.jpg", "images/ab/a.png"]
    for name in theirs:
        empty.write(name, b"of the user")
    assert sorted(orphans(empty, read_log(empty))) == sorted(theirs)
    write(empty, in_shards, range(1))
    remove_orphans(empty, compact(empty), moment(empty))
    assert {name for name in theirs if empty.exists(name)} == set(theirs)


def test_what_is_new_or_lay_in_a_new_folder_is_not_removed(
    empty: Folder, in_shards: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = moment(empty)
    held_back(empty, in_shards, monkeypatch, range(2))
    found = orphans(empty, read_log(empty))
    remove_orphans(empty, compact(empty), before)
    remove_orphans(empty, compact(empty), None)
    assert orphans(empty, read_log(empty)) == found
    remove_orphans(empty, compact(empty), moment(empty))
    assert orphans(empty, read_log(empty)) == []


def test_a_writer_that_commits_when_all_is_finished(
    empty: Folder, in_shards: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The second scene fails in the run that the writer is too late for.
    commit = held_back(empty, in_shards, monkeypatch, range(0, 1), range(1, 2))
    write(empty, in_shards, range(0, 1))
    stage = Write(ImageSetWriter(empty, "png", 95, in_shards), COCO_STUFF, keep_contents=True)
    stage(failing(1))
    finish(empty)
    assert len(ImageSet(empty.uri)) == 2
    commit()
    assert len(done(read_log(empty))) == 4
    assert problems(empty) == {}
    assert orphans(empty, read_log(empty)) == []


def test_a_late_shard_of_pairs_that_are_done_goes_and_its_rows_do_not_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = Folder(str(tmp_path))
    write(folder, True, range(0, 3))
    commit = held_back(folder, True, monkeypatch, range(0, 2))
    assert len(folder.names("data")) == 2
    finish(folder)
    assert len(folder.names("data")) == 1
    commit()
    for _ in range(2):
        assert len(done(read_log(folder))) == 6
        assert problems(folder) == {}
        compact(folder)


def test_a_log_without_hashes_is_no_mismatch(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = Folder(str(tmp_path))
    write(folder, False, range(2))
    commits = [
        replace(commit, image_sha256=None, mask_sha256=None, content_sha256=None)
        for commit in read_commits(folder)
    ]
    for name in commit_files(folder):
        folder.remove(name)
    write_commits(folder, commits)
    finish(folder)
    assert inspect_image_set(folder.uri, verify=True) == 0
    assert "the log has no SHA-256 of 4 images" in capsys.readouterr().out
    name = str(commits[0].file_name)
    folder.write(name, folder.read(name)[:100])
    assert inspect_image_set(folder.uri, verify=True) == 1


def test_inspect_refuses_credentials_in_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert inspect_image_set("s3://key:secret@bucket/out") == 2
    message = capsys.readouterr().err
    assert message.startswith("error: a URI contains credentials")
    assert message.count("\n") == 1 and "secret" not in message


def test_inspect_of_a_running_job(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = Folder(str(tmp_path))
    assert inspect_image_set(str(tmp_path)) == 2
    folder.write(CONFIGURATION, b'{"seed": 7, "image_format": "jpg", "reject": null}')
    folder.write(PLAN, b'{"pairs": 12}')
    assert inspect_image_set(str(tmp_path)) == 0
    assert "not finished (running or stopped), 0 of 12 pairs so far: " in capsys.readouterr().out
    write(folder, False, range(3))
    assert inspect_image_set(str(tmp_path)) == 0
    assert "not finished (running or stopped), 6 of 12 pairs so far: " in capsys.readouterr().out


def test_inspect_has_the_verdict_first_and_then_what_was_set(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = Folder(str(tmp_path))
    write(folder, False, range(3))
    finish(folder)
    folder.write(CONFIGURATION, b'{"seed": 7, "image_format": "jpg", "reject": null, "job": "x"}')
    assert inspect_image_set(str(tmp_path)) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"complete: 6 images of 3 scenes in {folder.uri}, 0 failed"
    assert lines[1:4] == ["settings that differ from the defaults:", "  seed  7", "  job   x"]
    assert lines[4] == "worker seconds per image:"
    assert lines[-3:] == [
        "settings at their defaults:",
        "  image_format  jpg",
        "  reject        None",
    ]


def test_what_reading_back_shows_comes_before_all_else(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = Folder(str(tmp_path))
    write(folder, False, range(3))
    finish(folder)
    assert inspect_image_set(str(tmp_path), verify=True) == 0
    counts = f"complete: 6 images of 3 scenes in {folder.uri}, 0 failed"
    (first, *rest) = capsys.readouterr().out.splitlines()
    objects = int(first.removeprefix(f"{counts}; ").split()[0])
    assert first == f"{counts}; {objects} objects read back: 0 problems"
    name = str(read_commits(folder)[0].file_name)
    folder.remove(name)
    figures = f"damaged, {objects} objects read back: 1 problems"
    for remedy in ("its job, started again with --repair,", f"spadepis repair {folder.uri}"):
        assert inspect_image_set(str(tmp_path), verify=True) == 1
        lines = capsys.readouterr().out.splitlines()
        assert lines[0] == f"{figures}; {remedy} makes again what is damaged or missing"
        assert lines[1].split() == [repr(name), "missing"]
        assert lines[2] == f"the commit log says {counts}"
        assert lines[3:] == rest
        folder.write(COMMAND, b"{}")


def test_inspect_knows_the_defaults_of_a_job_and_says_what_a_hash_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = Folder(str(tmp_path))
    for job, differs in (("stylize", False), ("synthesize", True)):
        settings = {
            "job": job,
            "longest_side": 1024,
            "label_space": "my-park (5037b02fe1d0)",
            "related_classes": "0123456789ab",
            "style_ids": "16 (72e2781d31dc)",
        }
        folder.write(CONFIGURATION, json.dumps(settings).encode())
        assert inspect_image_set(str(tmp_path)) == 0
        text = capsys.readouterr().out
        assert "  label_space      my-park (SHA-256 5037b02fe1d0)\n" in text
        assert "  related_classes  SHA-256 0123456789ab\n" in text
        assert "  style_ids        16 (SHA-256 72e2781d31dc)\n" in text
        assert ("longest_side" in text.partition("worker seconds")[0]) == differs


def test_output_that_nobody_reads_ends_the_command_without_a_trace(tmp_path: Path) -> None:
    folder = Folder(str(tmp_path))
    write(folder, False, range(1))
    finish(folder)
    # More than a pipe holds, so that the command writes when its reader is gone.
    folder.write(CONFIGURATION, json.dumps({f"{i:0100}": i for i in range(2000)}).encode())
    command = [sys.executable, "-m", "spadepis", "inspect", folder.uri]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None and process.stderr is not None
    assert "2 images of 1 scenes" in process.stdout.readline()
    process.stdout.close()
    assert (process.stderr.read(), process.wait()) == ("", 141)
    process.stderr.close()


def test_hugging_face_reads_shards(tmp_path: Path) -> None:
    folder = Folder(str(tmp_path / "out"))
    write(folder, True, range(2))
    loaded = datasets.load_dataset(
        "parquet",
        data_files=f"{tmp_path}/out/data/*.parquet",
        split="train",
        cache_dir=str(tmp_path / "cache"),
    )
    assert loaded.num_rows == 4
    for row in loaded:
        expected = scene(int(row["mask_id"][1:]))
        assert expected.label_map is not None
        np.testing.assert_array_equal(row["content"], expected.content)
        np.testing.assert_array_equal(row["mask"], COCO_STUFF.encode(expected.label_map))
        np.testing.assert_array_equal(row["image"], expected.results[int(row["style_id"][1:])])


def test_image_and_mask_move_together(folder: Folder) -> None:
    class Position(torch.nn.Module):
        """In the place of an image and its label map, the same values in both."""

        def forward(self, image: torch.Tensor, mask: torch.Tensor) -> tuple[object, object]:
            values = torch.arange(SIZE * SIZE).reshape(SIZE, SIZE)
            return type(image)(values.expand(3, -1, -1)), type(mask)(values)

    moves = v2.Compose([Position(), v2.RandomCrop(20), v2.RandomHorizontalFlip()])
    images = ImageSet(folder.uri, transforms=moves)
    seen = set()
    for index in range(len(images)):
        image, mask = images[index]
        assert mask is not None and mask.shape == (20, 20)
        assert torch.equal(image[0], mask)
        seen.add((int(mask[0, 0]), bool(mask[0, 0] > mask[0, 1])))
    assert len(seen) > 2


def test_where_reads_no_image(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    images = ImageSet(folder.uri)
    monkeypatch.setattr(ImageSet, "_read", None)
    assert len(images.where(style_id="s1")) == 5
    assert len(images.where(style_id="s1", mask_id=["m0", "m4", "m9"])) == 2
    assert len(images.where(pc.field("height") > SIZE)) == 0
    assert len(images.where(pc.field("height") == SIZE).where(mask_id="m2")) == 2
    assert len(images) == 10
    with pytest.raises(KeyError):
        images.where(none=1)


def test_the_cache_holds_what_was_read(folder: Folder, tmp_path: Path) -> None:
    images = ImageSet(folder.uri, cache=str(tmp_path / "cache"))
    expected = [ImageSet(folder.uri)[index][0] for index in range(10)]
    for index in range(10):
        assert torch.equal(images[index][0], expected[index])
    for name in named_objects(read_log(folder)):
        folder.remove(name)
    again = pickle.loads(pickle.dumps(images))
    for index in range(10):
        assert torch.equal(again[index][0], expected[index])


@pytest.mark.parametrize("start", ["fork", "spawn"])
def test_workers_of_a_loader(tmp_path: Path, in_shards: bool, start: str) -> None:
    folder = Folder(str(tmp_path))
    write(folder, in_shards, range(4))
    finish(folder)
    images = ImageSet(folder.uri)
    loader = DataLoader(images, batch_size=4, num_workers=1, multiprocessing_context=start)
    loaded = torch.cat([image for image, _ in loader])
    assert torch.equal(loaded, torch.stack([images[index][0] for index in range(8)]))


def test_the_example_learns(tmp_path: Path, in_shards: bool) -> None:
    folder = Folder(str(tmp_path))
    write(folder, in_shards, range(4))
    finish(folder)
    example = runpy.run_path(str(Path(__file__).parents[3] / "examples/train_segmentation.py"))
    losses = example["train"](folder.uri, steps=30, crop=16)
    assert len(losses) == 30
    assert losses[-1] < 0.8 * losses[0]


def test_shards_keep_small_row_groups(tmp_path: Path) -> None:
    folder = Folder(str(tmp_path))
    write(folder, True, range(6))
    (name,) = folder.names("data")
    metadata = pq.read_metadata(io.BytesIO(folder.read(name)))
    assert (metadata.num_rows, metadata.num_row_groups) == (12, 2)
