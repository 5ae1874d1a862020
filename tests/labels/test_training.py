"""Classes and indices for training."""

import json

import numpy as np
import pytest

from spadepis.labels import (
    ADE20K,
    ADE20K_0_TO_149,
    CITYSCAPES,
    CITYSCAPES_TRAIN_IDS,
    COCO_STUFF,
    LABEL_SPACES,
    LabelSpace,
    pascal_colours,
)
from spadepis.labels.training import TrainingLabels


@pytest.mark.parametrize(
    ("space", "count", "raw", "expected"),
    [
        (COCO_STUFF, 182, [0, 181, 255], [0, 181, 255]),
        (ADE20K, 150, [0, 1, 150], [255, 0, 149]),
        (ADE20K_0_TO_149, 150, [255, 0, 149], [255, 0, 149]),
        # Unlabelled, out of roi, road, parking, sky, bicycle, license plate.
        (CITYSCAPES, 19, [0, 3, 7, 9, 23, 33, 255], [255, 255, 0, 255, 10, 18, 255]),
        (CITYSCAPES_TRAIN_IDS, 19, [255, 0, 10, 18], [255, 0, 10, 18]),
    ],
)
def test_indices_for_training(
    space: LabelSpace, count: int, raw: list[int], expected: list[int]
) -> None:
    labels = TrainingLabels.of(space)
    assert (len(labels.classes), labels.ignore_index) == (count, 255)
    assert labels.encode(np.array([raw], np.uint8)).tolist() == [expected]
    for index, value in zip(expected, raw, strict=True):
        name = space.names[space.raw_values.index(value)]
        assert index == 255 or labels.classes[index] == name


@pytest.mark.parametrize("space", LABEL_SPACES.values(), ids=LABEL_SPACES)
def test_they_survive_a_manifest(space: LabelSpace) -> None:
    labels = TrainingLabels.of(space)
    manifest = json.loads(json.dumps({"label_space": labels.to_manifest()}))
    again = TrainingLabels.from_manifest(manifest)
    assert again is not None
    assert (list(again.classes), again.label_space) == (list(labels.classes), space.name)
    raw = np.arange(256, dtype=np.uint8)[None]
    np.testing.assert_array_equal(again.encode(raw), labels.encode(raw))


def test_manifests_of_version_0_1() -> None:
    labels = TrainingLabels.from_manifest({"configuration": {"label_space": "ade20k"}})
    assert labels is not None and labels.classes[0] == "wall"
    own = {"configuration": {"label_space": "my-streets (0123456789ab)"}}
    assert TrainingLabels.from_manifest(own) is TrainingLabels.from_manifest({}) is None


def test_no_value_is_left_to_ignore() -> None:
    names = tuple(f"class {index}" for index in range(256))
    full = LabelSpace("full", names, pascal_colours(range(256)), False, (64, 64), (*range(256),))
    labels = TrainingLabels.of(full)
    assert labels.ignore_index == -100
    raw = np.arange(256, dtype=np.uint8)[None]
    np.testing.assert_array_equal(labels.encode(raw), raw)
