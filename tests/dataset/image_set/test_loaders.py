"""The examples for MMSegmentation and FiftyOne.

In ``make test``, stand-ins take the arguments that are documented. In ``make loaders``, the
packages themselves are installed.
"""

import runpy
import sys
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest.mock import MagicMock

import numpy as np
import pytest
from PIL import Image

from spadepis.dataset.encoding import encode_png
from spadepis.dataset.image_set.commits import Commit, to_table
from spadepis.dataset.image_set.index import write_index
from spadepis.dataset.image_set.writer import Encoded, ImageSetWriter
from spadepis.dataset.storage.folder import Folder
from spadepis.labels import ADE20K
from spadepis.labels.training import TrainingLabels

EXAMPLES = Path(__file__).parents[3] / "examples"
RAW, INDICES = [0, 1, 3, 150], [255, 0, 2, 149]


@pytest.fixture
def image_set(tmp_path: Path) -> str:
    folder = Folder(str(tmp_path / "out"))
    writer = ImageSetWriter(folder, "png", 95)
    label_map = encode_png(np.tile(np.array(RAW, np.uint8), (2, 1)))
    photo = writer.encode(np.zeros((2, 4, 3), np.uint8))
    commits = [Commit("m/1", style, "m", "s", height=2, width=4) for style in ("dusk", "fog")]
    pairs = [Encoded(commit, photo, label_map, photo) for commit in commits]
    manifest = {"label_space": TrainingLabels.of(ADE20K).to_manifest()}
    write_index(folder, to_table(writer.publish(pairs)), {}, manifest)
    return folder.uri


def stand_in(monkeypatch: pytest.MonkeyPatch, name: str, **content: Any) -> None:
    module = ModuleType(name)
    vars(module).update(content)
    monkeypatch.setitem(sys.modules, name, module)


def test_mmsegmentation(image_set: str, monkeypatch: pytest.MonkeyPatch) -> None:
    class BaseSegDataset:
        def __init__(self, data_root: str, metainfo: dict[str, Any], pipeline: list[Any]) -> None:
            self.data_root, self.metainfo, self.pipeline = data_root, metainfo, pipeline

    class Registry:
        def register_module(self) -> Any:
            return lambda kind: kind

    stand_in(monkeypatch, "mmseg")
    stand_in(monkeypatch, "mmseg.datasets", BaseSegDataset=BaseSegDataset)
    stand_in(monkeypatch, "mmseg.registry", DATASETS=Registry())
    example = runpy.run_path(str(EXAMPLES / "mmsegmentation_dataset.py"))
    dataset = example["ImageSetDataset"](data_root=image_set, pipeline=[])
    assert dataset.metainfo["classes"][:3] == ["wall", "building", "sky"]
    entries = dataset.load_data_list()
    assert len(entries) == 2
    for entry in entries:
        assert Path(entry["img_path"]).is_file()
        assert (entry["reduce_zero_label"], entry["seg_fields"]) == (False, [])
        # As LoadAnnotations of MMSegmentation renumbers a label map.
        with Image.open(entry["seg_map_path"]) as image:
            raw = np.asarray(image)
        renumbered = raw.copy()
        for value, index in entry["label_map"].items():
            renumbered[raw == value] = index
        assert renumbered[0].tolist() == INDICES


def test_fiftyone(image_set: str, monkeypatch: pytest.MonkeyPatch) -> None:
    class Sample(dict[str, Any]):
        def __init__(self, filepath: str) -> None:
            super().__init__(filepath=filepath)

    class Segmentation:
        def __init__(self, mask_path: str) -> None:
            self.mask_path = mask_path

    class Dataset:
        default_mask_targets: dict[int, str]

        def add_samples(self, samples: list[Sample]) -> None:
            self.samples = samples

    stand_in(monkeypatch, "fiftyone", Sample=Sample, Segmentation=Segmentation, Dataset=Dataset)
    example = runpy.run_path(str(EXAMPLES / "fiftyone_dataset.py"))
    dataset = example["import_image_set"](image_set)
    targets = dataset.default_mask_targets
    assert [targets[value] for value in RAW] == ["unknown", "wall", "sky", "flag"]
    for sample, style_id in zip(dataset.samples, ("dusk", "fog"), strict=True):
        assert Path(sample["filepath"]).is_file()
        assert Path(sample["ground_truth"].mask_path).is_file()
        assert (sample["mask_id"], sample["style_id"]) == ("m/1", style_id)
        assert "file_name" not in sample


@pytest.mark.loaders
def test_mmsegmentation_itself(image_set: str, monkeypatch: pytest.MonkeyPatch) -> None:
    # MMSegmentation imports the compiled operators of MMCV, which mmcv-lite lacks and no data set
    # calls.
    operators = MagicMock(__spec__=ModuleSpec("mmcv._ext", None))
    monkeypatch.setitem(sys.modules, "mmcv._ext", operators)
    registry = pytest.importorskip("mmseg.registry")
    # As ``default_scope`` in a configuration.
    pytest.importorskip("mmengine.registry").init_default_scope("mmseg")
    runpy.run_path(str(EXAMPLES / "mmsegmentation_dataset.py"))
    pipeline = [{"type": "LoadImageFromFile"}, {"type": "LoadAnnotations"}]
    settings = {"type": "ImageSetDataset", "data_root": image_set, "pipeline": pipeline}
    dataset = registry.DATASETS.build(settings)
    assert len(dataset) == 2
    assert dataset.metainfo["classes"][:3] == ["wall", "building", "sky"]
    for sample in dataset:
        assert sample["img"].shape == (2, 4, 3)
        assert sample["gt_seg_map"].tolist() == [INDICES] * 2


@pytest.mark.loaders
def test_fiftyone_itself(image_set: str) -> None:
    fiftyone = pytest.importorskip("fiftyone")
    try:
        fiftyone.list_datasets()
    except fiftyone.core.config.FiftyOneConfigError as error:
        pytest.skip(f"FiftyOne downloads a MongoDB server when it is installed. Here: {error}")
    example = runpy.run_path(str(EXAMPLES / "fiftyone_dataset.py"))
    dataset = example["import_image_set"](image_set)
    try:
        assert dataset.count("ground_truth") == 2
        assert sorted(dataset.values("style_id")) == ["dusk", "fog"]
        for sample in dataset:
            assert sample.ground_truth.get_mask()[0].tolist() == RAW
    finally:
        dataset.delete()
