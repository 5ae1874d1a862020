"""Which classes count as one region."""

from hashlib import sha256
from pathlib import Path

import pytest

from spadepis.configuration import ConfigurationError
from spadepis.labels import ADE20K, CITYSCAPES, COCO_STUFF, LABEL_SPACES, LabelSpace
from spadepis.labels.custom import read_label_space
from spadepis.labels.related_classes import find_region_labels, region_labels


def of(labels: tuple[int, ...], space: LabelSpace, name: str) -> int:
    return labels[space.names.index(name)]


@pytest.mark.parametrize("space", LABEL_SPACES.values(), ids=lambda space: space.name)
def test_groups_that_come_along_are_of_known_classes(space: LabelSpace) -> None:
    labels = find_region_labels(space, None)
    assert len(labels) == space.num_classes
    assert len(set(labels)) < len(set(find_region_labels(space, "none")))
    assert all(label == -1 or labels[label] == label for label in labels)


def test_what_is_alike_is_one_region() -> None:
    coco = find_region_labels(COCO_STUFF, None)
    assert of(coco, COCO_STUFF, "tree") == of(coco, COCO_STUFF, "bush")
    assert of(coco, COCO_STUFF, "sea") == of(coco, COCO_STUFF, "river")
    assert of(coco, COCO_STUFF, "sea") != of(coco, COCO_STUFF, "sky-other")
    ade = find_region_labels(ADE20K, None)
    assert of(ade, ADE20K, "sea") == of(ade, ADE20K, "lake")
    assert of(ade, ADE20K, "sky") == ADE20K.names.index("sky")


@pytest.mark.parametrize(
    ("space", "digest"),
    [(ADE20K, "53fee2bc06b3"), (CITYSCAPES, "06e51b2eed84"), (COCO_STUFF, "a492484a2968")],
    ids=lambda value: getattr(value, "name", ""),
)
def test_groups_are_those_of_0_1_0(space: LabelSpace, digest: str) -> None:
    """They are part of the identity of an image set, which could not be resumed with others."""
    regions = find_region_labels(space, None)
    assert sha256(repr(list(regions)).encode()).hexdigest()[:12] == digest


def test_unknown_pixels_are_of_no_region() -> None:
    for space, name in ((COCO_STUFF, "unknown"), (ADE20K, "unknown"), (CITYSCAPES, "unlabeled")):
        assert of(region_labels(space, []), space, name) == -1
    alone = find_region_labels(COCO_STUFF, "none")
    assert alone == (*range(182), -1)


def test_groups_of_own_label_spaces(tmp_path: Path) -> None:
    described = "name: mine\nsize: 64x64\nunknown: 255\nclasses:\n"
    classes = "".join(f"- {{name: {name}, value: {i}}}\n" for i, name in enumerate("abcd"))
    (tmp_path / "space.yaml").write_text(described + classes)
    space = read_label_space(str(tmp_path / "space.yaml"))
    assert find_region_labels(space, None) == (0, 1, 2, 3, -1)
    (tmp_path / "groups.yaml").write_text("- [d, b]\n")
    assert find_region_labels(space, str(tmp_path / "groups.yaml")) == (0, 1, 2, 1, -1)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("- [sea, rivr]", "coco-stuff has no class 'rivr' (did you mean river"),
        ("- [sea, river]\n- [sea, sand]", "sea is listed twice"),
        ("- [sea, sea]", "sea is listed twice"),
        ("sea: river", "is not a list of lists of class names"),
        ("- sea", "is not a list of lists of class names"),
        ("", "is not a list of lists of class names"),
        ("- [sea", "is not YAML"),
    ],
)
def test_mistakes_in_groups_are_one_line(tmp_path: Path, content: str, reason: str) -> None:
    path = tmp_path / "groups.yaml"
    path.write_text(content)
    with pytest.raises(ConfigurationError) as error:
        find_region_labels(COCO_STUFF, str(path))
    assert str(error.value).startswith(str(path))
    assert reason in str(error.value) and "\n" not in str(error.value)


def test_a_missing_file_of_groups() -> None:
    with pytest.raises(ConfigurationError, match="gone.yaml cannot be read"):
        find_region_labels(COCO_STUFF, "gone.yaml")
