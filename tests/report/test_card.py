"""The dataset card leads Hugging Face's reader to every image, whatever the ids are called."""

from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pytest
import yaml

from spadepis.dataset.encoding import encode_png
from spadepis.dataset.image_set.commits import Commit, to_table
from spadepis.dataset.image_set.index import write_index
from spadepis.dataset.image_set.layout import CARD, REPORT
from spadepis.dataset.image_set.splits import check_split_rule, split_of
from spadepis.dataset.image_set.writer import Encoded, ImageSetWriter
from spadepis.dataset.storage.folder import Folder
from spadepis.labels import COCO_STUFF
from spadepis.labels.training import TrainingLabels
from spadepis.report.card import dataset_card, split_words
from spadepis.report.summary import summarize, summary_text

IDS = ["train/a", "val", "test/train/b", "__x__/y", ".hidden", "ADE_val_0001", "a [v2]/c", "x.zip"]
STYLES = ["train", "val 1", "__s"]
LABELS = TrainingLabels.of(COCO_STUFF)


def image_set(
    folder: Folder,
    in_shards: bool,
    with_masks: bool = True,
    split_by: str | None = None,
    with_instances: bool = False,
    **identity: Any,
) -> dict[str, Any]:
    """A set in which the number of a scene is the grey of its images; returns the card's header."""
    writer = ImageSetWriter(folder, "png", 95, in_shards, split_by)
    pairs = []
    for index, mask_id in enumerate(IDS):
        photo = writer.encode(np.full((8, 8, 3), index, np.uint8))
        mask = encode_png(np.full((8, 8), index, np.uint8)) if with_masks else None
        for style_id in STYLES:
            classes = [COCO_STUFF.names[index]] if with_masks else None
            commit = Commit(mask_id, style_id, "m", "s", height=8, width=8, classes=classes)
            ids = encode_png(np.full((8, 8), 300 + index, np.uint16)) if with_instances else None
            pairs.append(Encoded(commit, photo, mask, photo if with_masks else None, ids))
    log = to_table(writer.publish(pairs))
    identity = {"output_format": "parquet" if in_shards else "files", **identity}
    card = dataset_card(summarize(log), log, identity, LABELS, split_by)
    write_index(folder, log, {CARD: card, REPORT: ""}, {}, split_by)
    header: dict[str, Any] = yaml.safe_load(card.split("---\n")[1])
    return header


@pytest.mark.parametrize("in_shards", [False, True], ids=["files", "shards"])
def test_every_image_is_read_with_its_label_map_and_ids(tmp_path: Path, in_shards: bool) -> None:
    header = image_set(Folder(str(tmp_path / "out")), in_shards)
    loaded = datasets.load_dataset(
        str(tmp_path / "out"), split="train", cache_dir=str(tmp_path / "cache")
    )
    found = {(row["mask_id"], row["style_id"]) for row in loaded}
    assert found == {(mask_id, style_id) for mask_id in IDS for style_id in STYLES}
    assert loaded.num_rows == len(found)
    for row in loaded:
        index = IDS.index(row["mask_id"])
        for name in ("image", "mask", "content"):
            assert (np.asarray(row[name]) == index).all(), (row["mask_id"], name)
    if not in_shards:
        assert loaded[0]["classes"] == [COCO_STUFF.names[IDS.index(loaded[0]["mask_id"])]]
    # The header says the columns as the reader finds them.
    declared = [each["name"] for each in header["dataset_info"]["features"]]
    assert sorted(declared) == sorted(loaded.column_names)


@pytest.mark.parametrize("in_shards", [False, True], ids=["files", "shards"])
@pytest.mark.parametrize("rule", ["val,test/*", "0.5"])
def test_splits_are_read_as_splits(
    tmp_path: Path,
    rule: str,
    in_shards: bool,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(datasets.logging.get_logger("datasets"), "propagate", True)
    header = image_set(Folder(str(tmp_path / "out")), in_shards, split_by=rule)
    loaded = datasets.load_dataset(str(tmp_path / "out"), cache_dir=str(tmp_path / "cache"))
    expected = {id: split_of(id, rule) for id in IDS}
    assert set(loaded) == set(expected.values()) == {"train", "validation"}
    found = {(row["mask_id"], split) for split, rows in loaded.items() for row in rows}
    assert found == set(expected.items())
    assert sum(rows.num_rows for rows in loaded.values()) == len(IDS) * len(STYLES)
    # The header says nothing that the reader would have to ignore.
    assert not [record.message for record in caplog.records if record.name.startswith("datasets")]
    declared = header["dataset_info"]["splits"]
    counts = {split: rows.num_rows for split, rows in loaded.items()}
    assert {each["name"]: each["num_examples"] for each in declared} == counts
    folders = [tmp_path / "out" / name for name in ("data", "images", "masks", "contents")]
    files = [path for folder in folders for path in folder.rglob("*") if path.is_file()]
    assert sum(each["num_bytes"] for each in declared) == sum(path.stat().st_size for path in files)
    for row in loaded["validation"]:
        assert (np.asarray(row["mask"]) == IDS.index(row["mask_id"])).all()


@pytest.mark.parametrize("in_shards", [False, True], ids=["files", "shards"])
def test_instance_maps_are_a_column(tmp_path: Path, in_shards: bool) -> None:
    header = image_set(Folder(str(tmp_path / "out")), in_shards, with_instances=True)
    assert {"name": "instance", "dtype": "image"} in header["dataset_info"]["features"]
    loaded = datasets.load_dataset(
        str(tmp_path / "out"), split="train", cache_dir=str(tmp_path / "cache")
    )
    for row in loaded:
        assert (np.asarray(row["instance"]) == 300 + IDS.index(row["mask_id"])).all()


def test_rows_without_sizes_give_a_header_without_them() -> None:
    log = to_table([Commit("a", None, "m", None, file_name="images/a.jpg")])
    card = dataset_card(summarize(log), log, {"output_format": "files"}, LABELS)
    assert "splits" not in yaml.safe_load(card.split("---\n")[1])["dataset_info"]


def test_rules_of_splits() -> None:
    ids = [f"{index:05d}" for index in range(2000)]
    share = sum(split_of(id, "0.1") == "validation" for id in ids) / len(ids)
    assert 0.08 < share < 0.12
    assert check_split_rule("val/*") == "val/*" and check_split_rule("0.2") == "0.2"
    for wrong in ("", "0", "1", "7", "-0.1", "nan"):
        with pytest.raises(ValueError, match="share between 0 and 1"):
            check_split_rule(wrong)


def test_a_set_of_photos_alone(tmp_path: Path) -> None:
    header = image_set(Folder(str(tmp_path / "out")), in_shards=False, with_masks=False)
    loaded = datasets.load_dataset(
        str(tmp_path / "out"), split="train", cache_dir=str(tmp_path / "cache")
    )
    assert loaded.num_rows == len(IDS) * len(STYLES)
    assert "mask" not in loaded.column_names and "class_names" not in header


def test_the_header_names_classes_and_licence(tmp_path: Path) -> None:
    header = image_set(Folder(str(tmp_path)), False, spade_checkpoint_sha256="0" * 64)
    assert header["class_names"][0] == "person" and header["class_names"][255] == "unknown"
    assert len(header["training_classes"]) == 182 and header["ignore_index"] == 255
    assert header["license"] == "unknown"


def test_words_that_an_image_folder_takes_for_splits() -> None:
    def log(*ids: str) -> Any:
        return to_table([Commit(id, "dusk", "m", "s", file_name="f") for id in ids])

    assert split_words(log("ADE_val_0001", "a/Train/b", "test")) == ["test", "train", "val"]
    assert split_words(log("trainer", "valley", "contest_1", "0001")) == []
    said = summary_text(summarize(log("val_1")), log("val_1"), "out")
    assert 'load_dataset("imagefolder") would take "val" in ids for a split' in said


def test_the_end_of_a_job_says_how_many_scenes_each_split_has() -> None:
    def said(split_by: str) -> str:
        log = to_table([Commit(id, "dusk", "m", "s", file_name="f") for id in ("a", "b", "c")])
        return summary_text(summarize(log), log, "out", split_by)

    assert "\nsplit: 1 scene train, 2 scenes validation\n" in said("b,c")
    assert "\nsplit: 3 scenes train, none validation. Warning: one is empty" in said("0.000001")
    assert "Give --split-by a larger share, or globs of ids\n" in said("0.000001")
    assert "\nsplit: none train, 3 scenes validation. Warning: one is empty" in said("*")
