"""Classes of other label spaces as classes of COCO-Stuff."""

from importlib.resources import files

import pytest

from spadepis.configuration import read_yaml
from spadepis.labels import (
    ADE20K,
    ADE20K_0_TO_149,
    CITYSCAPES,
    CITYSCAPES_TRAIN_IDS,
    COCO_STUFF,
    LabelSpace,
)
from spadepis.labels.translation import TRANSLATED_SPACES, coco_stuff_classes

# COCO annotated nothing with these ids: the published generator has not learnt them.
NEVER_ANNOTATED = {
    *("street sign", "hat", "shoe", "eye glasses", "plate", "mirror", "window", "desk", "door"),
    *("blender", "hair brush"),
}
SPACES = [ADE20K, ADE20K_0_TO_149, CITYSCAPES, CITYSCAPES_TRAIN_IDS]


@pytest.mark.parametrize("space", SPACES, ids=lambda space: space.name)
def test_every_class_has_one_of_coco_stuff(space: LabelSpace) -> None:
    classes = coco_stuff_classes(space)
    assert len(classes) == space.num_classes
    assert all(0 <= index < COCO_STUFF.num_classes for index in classes)


@pytest.mark.parametrize("space", [ADE20K, CITYSCAPES], ids=lambda space: space.name)
def test_a_table_names_every_class_once_and_no_other(space: LabelSpace) -> None:
    assert space.name in TRANSLATED_SPACES
    path = files("spadepis") / "labels" / "to_coco_stuff" / f"{space.name}.yaml"
    assert tuple(read_yaml(str(path))) == space.names
    written = [line.split(":")[0] for line in path.read_text().splitlines() if line[0] != "#"]
    assert len(written) == len(set(written))


@pytest.mark.parametrize("space", SPACES, ids=lambda space: space.name)
def test_a_class_with_the_same_name_stays_itself(space: LabelSpace) -> None:
    for index, name in enumerate(space.names):
        if name in set(COCO_STUFF.names) - NEVER_ANNOTATED:
            assert COCO_STUFF.names[coco_stuff_classes(space)[index]] == name


@pytest.mark.parametrize("space", SPACES, ids=lambda space: space.name)
def test_no_class_becomes_one_that_was_never_annotated(space: LabelSpace) -> None:
    assert set(COCO_STUFF.names) > NEVER_ANNOTATED
    assert not {COCO_STUFF.names[index] for index in coco_stuff_classes(space)} & NEVER_ANNOTATED


def test_unlabelled_pixels_stay_unknown() -> None:
    for space, name in ((ADE20K, "unknown"), (CITYSCAPES, "unlabeled")):
        index = coco_stuff_classes(space)[space.names.index(name)]
        assert COCO_STUFF.names[index] == "unknown"
