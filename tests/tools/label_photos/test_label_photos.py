"""Label maps for photos that have none."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import ExifTags, Image

from spadepis.configuration import ConfigurationError, parse_settings
from spadepis.labels import ADE20K, COCO_STUFF
from tools.deeplab import CLASSES
from tools.label_photos.config import LabelPhotosConfig
from tools.label_photos.labelling import (
    OTHERWISE,
    label_map,
    label_photos,
    most_frequent,
)
from tools.label_photos.objects import KNOWN_TO_BOTH, NAMES, NO_OBJECTS, UNKNOWN, draw_objects
from tools.label_photos.resemblance import Resemblance, is_grey
from tools.mosaic import Mosaic

MOSAIC = "mosaic_ade20k_top31_logits.tflite"


def photo(seed: int) -> torch.Tensor:
    """Coloured patches, uint8 [3,64,64]."""
    patches = torch.randint(256, (3, 8, 8), generator=torch.Generator().manual_seed(seed))
    return patches.repeat_interleave(8, 1).repeat_interleave(8, 2).to(torch.uint8)


def test_classes_are_of_coco_stuff() -> None:
    assert set(OTHERWISE) <= set(ADE20K.names)
    assert set(OTHERWISE.values()) <= set(COCO_STUFF.names)
    certain = torch.eye(32)[:, None]
    names = {
        ours: UNKNOWN if value == UNKNOWN else COCO_STUFF.names[value]
        for ours, value in zip(ADE20K.names, label_map(certain)[0].tolist(), strict=False)
    }
    assert (names["wall"], names["sea"], names["armchair"]) == ("wall-other", "sea", "chair")
    assert names["table"] == "dining table"
    assert [name for name, label in names.items() if label == UNKNOWN] == ["unknown", "painting"]


def test_pixels_without_a_likely_class_are_unknown() -> None:
    probabilities = torch.zeros(32, 1, 3)
    probabilities[5] = torch.tensor([[0.9, 0.4, 0.1]])
    probabilities[0] = torch.tensor([[0.1, 0.3, 0.9]])
    assert label_map(probabilities).tolist() == [[COCO_STUFF.names.index("tree"), UNKNOWN, UNKNOWN]]


def test_objects_go_over_classes() -> None:
    tree, person, chair = (COCO_STUFF.names.index(name) for name in ("tree", "person", "chair"))
    labels = np.array([[tree, tree, tree, person, chair, tree]], np.uint8)
    probabilities = torch.zeros(21, 1, 6)
    probabilities[0] = 1
    for pixel, (name, probability) in enumerate(
        [("dog", 0.9), ("dog", 0.4), ("cat", 0.2), ("sofa", 0.7), ("sofa", 0.4), ("cat", 0.3)]
    ):
        probabilities[CLASSES.index(name), 0, pixel] = probability
        probabilities[0, 0, pixel] = 1 - probability
    # In the last pixel it is not clear which animal it is.
    probabilities[CLASSES.index("dog"), 0, 5] = 0.5
    dog, couch, cow = (COCO_STUFF.names.index(name) for name in ("dog", "couch", "cow"))
    found = draw_objects(labels, probabilities, None).tolist()
    assert found == [[dog, UNKNOWN, tree, couch, chair, UNKNOWN]]
    found = draw_objects(labels, probabilities, "cow").tolist()
    assert found == [[cow, UNKNOWN, tree, couch, chair, cow]]
    # MOSAIC's person may be an animal.
    assert draw_objects(labels[:, 3:4], probabilities[:, :, 2:3], "cow").tolist() == [[UNKNOWN]]


def test_objects_are_classes_of_coco_stuff() -> None:
    assert len(CLASSES) == 21
    names = {NAMES.get(name, name) for name in CLASSES if name not in NO_OBJECTS}
    assert names | set(KNOWN_TO_BOTH) <= set(COCO_STUFF.names)


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--object-weights", "d", "--animal", "unicorn"], "unicorn is no class of COCO-Stuff"),
        (["--animal", "cow"], "--animal needs --object-weights"),
    ],
)
def test_the_animal_is_a_class_of_objects(flags: list[str], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        parse_settings(
            LabelPhotosConfig,
            ["--photos", "a", "--output", "b", "--judge-weights", "c", *flags],
        )


def test_single_pixels_take_the_value_around_them() -> None:
    labels = np.full((9, 9), 7, np.uint8)
    labels[4, 4] = 3
    labels[:, 6:] = 5
    smooth = most_frequent(labels)
    assert smooth[4, 3] == 7 and 3 not in smooth and smooth[4, 8] == 5


def test_a_photo_resembles_itself_small_and_mirrored(tmp_path: Path) -> None:
    pixels = photo(1).permute(1, 2, 0).numpy()
    Image.fromarray(pixels).save(tmp_path / "a.jpg", quality=60)
    held_out = Resemblance.to([tmp_path])
    assert held_out.has(photo(1)) and held_out.has(photo(1).flip(-1))
    assert held_out.has(photo(1)[:, ::2, ::3])
    assert not held_out.has(photo(2))
    assert not Resemblance.to([]).has(photo(1))


def test_photos_without_colours_are_found() -> None:
    assert is_grey(photo(1)[:1].expand(3, -1, -1))
    assert not is_grey(photo(1))


def test_labels_are_those_that_come_with_the_scenes(shared: Path, tmp_path: Path) -> None:
    scenes = shared / "data" / "train_scenes"
    photos, output = tmp_path / "photos", tmp_path / "labels"
    photos.mkdir()
    names = [path.stem for path in sorted((scenes / "labels").glob("houses_*.png"))[:4]]
    for name in names:
        shutil.copy(scenes / "images" / f"{name}.jpg", photos)
    (photos / "cut.jpg").write_bytes(b"\xff\xd8")
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 3
    with Image.open(photos / f"{names[0]}.jpg") as image:
        # Not compressed once more, whatever the suffix says.
        image.rotate(180).save(photos / f"{names[0]}.jpg", "PNG", exif=exif)
    weights = shared / "weights" / MOSAIC
    label_photos(LabelPhotosConfig(photos=photos, output=output, judge_weights=weights))
    assert {path.stem for path in output.iterdir()} == set(names)
    for name in names:
        ours, theirs = (
            np.asarray(Image.open(folder / f"{name}.png")) for folder in (output, scenes / "labels")
        )
        assert ours.shape == theirs.shape
        # They differ at borders and in where they are sure.
        known = (ours != UNKNOWN) & (theirs != UNKNOWN)
        assert known.mean() > 0.7
        assert (ours == theirs)[known].mean() > 0.95
    (photos / "cut.jpg").unlink()
    held_out = LabelPhotosConfig(
        photos=photos, output=tmp_path / "none", judge_weights=weights, held_out=(photos,)
    )
    label_photos(held_out)
    assert not list(held_out.output.iterdir())


class SeesTrees:
    """In place of MOSAIC."""

    def __init__(self, path: Path) -> None:
        pass

    def __call__(self, image: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
        logits = torch.zeros(32, *size)
        logits[5] = 9
        return logits


def test_no_photo_is_replaced_by_a_label_map(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tools.label_photos.labelling.Mosaic", SeesTrees)
    pixels = Image.fromarray(photo(1).permute(1, 2, 0).numpy())
    pixels.save(tmp_path / "a.png")
    before = (tmp_path / "a.png").read_bytes()
    pixels.save(tmp_path / "b.jpg")
    label_photos(LabelPhotosConfig(photos=tmp_path, output=tmp_path, judge_weights=tmp_path))
    assert (tmp_path / "a.png").read_bytes() == before
    assert np.unique(np.asarray(Image.open(tmp_path / "b.png"))) == COCO_STUFF.names.index("tree")
    pixels.save(tmp_path / "a.jpg")
    other = LabelPhotosConfig(photos=tmp_path, output=tmp_path / "out", judge_weights=tmp_path)
    with pytest.raises(ConfigurationError, match="have the same name"):
        label_photos(other)


def test_weights_of_another_kind_are_refused(tmp_path: Path) -> None:
    (tmp_path / "weights.tflite").write_text("not a network")
    for name in ("weights.tflite", "none.tflite"):
        with pytest.raises(ConfigurationError, match=f"{name} is no file of TensorFlow Lite"):
            Mosaic(tmp_path / name)
