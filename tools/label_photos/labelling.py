"""Label maps of COCO-Stuff, as MOSAIC sees photos."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage
from torch import Tensor

from spadepis.dataset.storage.replacement import replacing
from spadepis.labels import ADE20K, COCO_STUFF
from spadepis.labels.translation import coco_stuff_classes
from spadepis.training.photos import list_photos, shrunk_size
from tools.label_photos.config import LabelPhotosConfig
from tools.label_photos.resemblance import Resemblance, is_grey
from tools.mosaic import Mosaic

# Classes of ADE20K for which the translation to COCO-Stuff is not taken: most tables in photos are
# dining tables, and a painting does not look like paper.
OTHERWISE: Final[Mapping[str, str]] = {"table": "dining table", "painting": "unknown"}
UNKNOWN: Final = 255
# The values of any other class and of persons, for which MOSAIC takes animals.
OTHER, PERSON = 0, 13

LEAST_PROBABILITY = 0.5
# Side of the window in which each pixel takes the most frequent value.
MODE_WINDOW = 5
# A subject has a share of the pixels between these, and its centre at most so far from that of the
# photo, in heights and widths.
SMALLEST_SUBJECT, LARGEST_SUBJECT = 0.1, 0.65
LARGEST_OFFSET = 0.25
# Pixels of unknown class around a subject, whose outline is rough.
MARGIN = 3


def label_photos(config: LabelPhotosConfig) -> None:
    """Write ``NAME.png`` with raw values of COCO-Stuff for each photo that can be labelled."""
    torch.set_num_threads(config.threads or torch.get_num_threads())
    network, held_out = Mosaic(config.judge_weights), Resemblance.to(config.held_out)
    config.output.mkdir(parents=True, exist_ok=True)
    paths, written = list_photos(config.photos), 0
    for number, path in enumerate(paths, start=1):
        labels = _label(path, network, held_out, config)
        if labels is not None:
            with replacing(config.output / f"{path.stem}.png") as unfinished:
                Image.fromarray(labels).save(unfinished, "PNG")
            written += 1
        if number % 100 == 0 or number == len(paths):
            print(f"{number} of {len(paths)} photos, {written} labelled", flush=True)


def _label(
    path: Path, network: Mosaic, held_out: Resemblance, config: LabelPhotosConfig
) -> NDArray[np.uint8] | None:
    """The label map of a photo, or nothing if it is to be left out."""
    with Image.open(path) as image:
        photo = torch.from_numpy(np.array(image.convert("RGB"))).permute(2, 0, 1)
    if is_grey(photo) or held_out.has(photo):
        return None
    width, height = shrunk_size((photo.shape[2], photo.shape[1]))
    probabilities = network(photo / 255, (height, width)).softmax(dim=0)
    labels = label_map(probabilities)
    if config.subject is not None:
        subject = find_subject(probabilities)
        if subject is None:
            return None
        labels[ndimage.binary_dilation(subject, iterations=MARGIN)] = UNKNOWN
        labels[subject] = COCO_STUFF.names.index(config.subject)
    smooth = most_frequent(labels)
    return smooth if (smooth == UNKNOWN).mean() <= config.largest_unknown else None


def label_map(probabilities: Tensor) -> NDArray[np.uint8]:
    """Raw values of COCO-Stuff [H,W] from MOSAIC's probabilities [C,H,W].

    Where no class is more likely than not, the value is that of unknown.
    """
    probability, value = probabilities.max(dim=0)
    labels: NDArray[np.uint8] = _raw_values()[value.numpy()]
    labels[(probability < LEAST_PROBABILITY).numpy()] = UNKNOWN
    return labels


@cache
def _raw_values() -> NDArray[np.uint8]:
    """The raw value of COCO-Stuff for each raw value of ADE20K, which are its class indices."""
    translated = [COCO_STUFF.names[index] for index in coco_stuff_classes(ADE20K)]
    names = [OTHERWISE.get(*both) for both in zip(ADE20K.names, translated, strict=True)]
    return np.array(
        [COCO_STUFF.raw_values[COCO_STUFF.names.index(name)] for name in names], np.uint8
    )


def find_subject(probabilities: Tensor) -> NDArray[np.bool_] | None:
    """The largest region [H,W] that MOSAIC has no class for, or takes for a person.

    Args:
        probabilities: [C,H,W].

    Returns:
        Nothing if that region is small, nearly the whole photo, or not in its middle.
    """
    strange = (probabilities[OTHER] + probabilities[PERSON]).numpy()
    mask = ndimage.uniform_filter(strange, 2 * MARGIN + 1) > LEAST_PROBABILITY
    regions, count = ndimage.label(ndimage.binary_opening(mask, iterations=MARGIN))
    if count == 0:
        return None
    largest = 1 + int(np.argmax(np.bincount(regions.ravel())[1:]))
    region: NDArray[np.bool_] = ndimage.binary_fill_holes(regions == largest)
    centre = np.divide(ndimage.center_of_mass(region), region.shape)
    in_the_middle = np.abs(centre - 0.5).max() <= LARGEST_OFFSET
    return region if in_the_middle and SMALLEST_SUBJECT < region.mean() < LARGEST_SUBJECT else None


def most_frequent(labels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The most frequent value in the window around each pixel of a label map [H,W]."""
    values = np.unique(labels)
    votes = [
        ndimage.uniform_filter((labels == value).astype(np.float32), MODE_WINDOW)
        for value in values
    ]
    winners: NDArray[np.uint8] = values[np.argmax(votes, axis=0)]
    return winners
