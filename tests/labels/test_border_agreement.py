"""Borders tell whether an instance map is of the scene of its label map."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from spadepis.labels.edges import border_agreement

SHARED = Path(__file__).parents[3] / "shared" / "data" / "coco_stuff"
Map = NDArray[np.int32]
# The first values of COCO-Stuff are those of countable things.
THINGS = 91


def test_too_few_borders_tell_nothing() -> None:
    plain, halves = np.zeros((40, 60), np.uint8), np.zeros((40, 60), np.uint8)
    halves[:, 30:] = 1
    assert border_agreement(plain, halves) is None
    assert border_agreement(halves, halves) == pytest.approx(1.0)
    assert border_agreement(halves, halves[::2, ::2]) == pytest.approx(1.0)
    noise = np.random.default_rng(0).integers(0, 9, (40, 60))
    assert border_agreement(noise, noise) == 1.0


def read(path: Path) -> Map:
    with Image.open(path) as image:
        return np.asarray(image).astype(np.int32)


def cropped(ids: Map, part: float) -> Map:
    """The middle of a map, enlarged to its size."""
    height, width = ids.shape
    margins = (round(height * (1 - part) / 2), round(width * (1 - part) / 2))
    middle = ids[margins[0] : height - margins[0], margins[1] : width - margins[1]]
    return np.asarray(Image.fromarray(middle).resize((width, height), Image.Resampling.NEAREST))


def agreements(pairs: list[tuple[Map, Map]]) -> list[float]:
    found = (border_agreement(label_map, ids) for label_map, ids in pairs)
    return sorted(each for each in found if each is not None)


@pytest.mark.skipif(not SHARED.exists(), reason="the sample data is not here")
@pytest.mark.parametrize("things_alone", [False, True])
def test_real_instance_maps(things_alone: bool) -> None:
    paths = [*(SHARED / "val_label").iterdir(), *(SHARED / "train_label").iterdir()]
    maps = []
    for path in sorted(paths):
        label_map = read(path)
        ids = read(Path(str(path).replace("_label", "_inst")))
        maps.append((label_map, np.where(label_map < THINGS, ids, 0) if things_alone else ids))
    right = agreements(maps)
    assert np.median(right) > 0.95
    # Where instance maps hold the borders of all classes, a single one can be judged.
    assert things_alone or right[0] > 0.9
    others = [(maps[i][0], maps[i - 1][1]) for i in range(len(maps))]
    for name, least, wrong in (
        ("of other images", 0.1, others),
        ("mirrored", 0.2, [(label_map, ids[:, ::-1]) for label_map, ids in maps]),
        ("cropped to 90 %", 0.3, [(label_map, cropped(ids, 0.9)) for label_map, ids in maps]),
        ("cropped to 80 %", 0.2, [(label_map, cropped(ids, 0.8)) for label_map, ids in maps]),
    ):
        assert np.median(agreements(wrong)) < least, name
