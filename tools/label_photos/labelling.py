"""Label maps of COCO-Stuff, as MOSAIC sees photos, and DeepLab the objects in them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage
from torch import Tensor

from spadepis.dataset.inputs.image_files import UnreadableImageError
from spadepis.dataset.inputs.photos import read_photo
from spadepis.dataset.storage.replacement import replacing
from spadepis.labels import ADE20K, COCO_STUFF
from spadepis.labels.translation import coco_stuff_classes
from spadepis.training.photos import MAX_PIXELS, by_name, list_photos, shrunk_size
from tools.deeplab import DeepLab
from tools.label_photos.config import LabelPhotosConfig
from tools.label_photos.objects import UNKNOWN, draw_objects, share_of
from tools.label_photos.resemblance import Resemblance, is_grey
from tools.mosaic import Mosaic

# Classes of ADE20K for which the translation to COCO-Stuff is not taken: most tables in photos are
# dining tables, and a painting does not look like paper.
OTHERWISE: Final[Mapping[str, str]] = {"table": "dining table", "painting": "unknown"}
LEAST_PROBABILITY = 0.5
# Side of the window in which each pixel takes the most frequent value.
MODE_WINDOW = 5
# Photos of an animal show it in a share of their pixels between these.
SMALLEST_ANIMAL, LARGEST_ANIMAL = 0.08, 0.75


@dataclass(frozen=True)
class _Networks:
    """What sees classes and objects."""

    mosaic: Mosaic
    deeplab: DeepLab | None


def label_photos(config: LabelPhotosConfig) -> None:
    """Write ``NAME.png`` with raw values of COCO-Stuff for each photo that can be labelled.

    Raises:
        ConfigurationError: there are no photos, two would have the same label map, or the weights
            are not those of the networks.
    """
    torch.set_num_threads(config.threads or torch.get_num_threads())
    objects = config.object_weights
    networks = _Networks(Mosaic(config.judge_weights), DeepLab(objects) if objects else None)
    held_out = Resemblance.to(config.held_out)
    config.output.mkdir(parents=True, exist_ok=True)
    # Label maps beside the photos replace none of them.
    paths, written = list(by_name(list_photos(config.photos, config.output)).values()), 0
    for number, path in enumerate(paths, start=1):
        try:
            labels = _label(path, networks, held_out, config)
        except UnreadableImageError as error:
            print(f"left out: {error}", flush=True)
            labels = None
        if labels is not None:
            with replacing(config.output / f"{path.stem}.png") as unfinished:
                Image.fromarray(labels).save(unfinished, "PNG")
            written += 1
        if number % 100 == 0 or number == len(paths):
            print(f"{number} of {len(paths)} photos, {written} labelled", flush=True)


def _label(
    path: Path, networks: _Networks, held_out: Resemblance, config: LabelPhotosConfig
) -> NDArray[np.uint8] | None:
    """The label map of a photo as it is displayed, or nothing if it is to be left out.

    Raises:
        UnreadableImageError: the photo cannot be read.
    """
    photo = torch.tensor(read_photo(str(path), MAX_PIXELS)).permute(2, 0, 1)
    if is_grey(photo) or held_out.has(photo):
        return None
    width, height = shrunk_size((photo.shape[2], photo.shape[1]))
    labels = label_map(networks.mosaic(photo / 255, (height, width)).softmax(dim=0))
    if networks.deeplab is not None:
        probabilities = networks.deeplab(photo / 255, (height, width)).softmax(dim=0)
        labels = draw_objects(labels, probabilities, config.animal)
    smooth = most_frequent(labels)
    known_enough = (smooth == UNKNOWN).mean() <= config.largest_unknown
    return smooth if known_enough and _shows_animal(smooth, config.animal) else None


def _shows_animal(labels: NDArray[np.uint8], animal: str | None) -> bool:
    """Whether an animal is neither small nor nearly all there is; true if none is looked for."""
    if animal is None:
        return True
    return SMALLEST_ANIMAL < share_of(labels, animal) < LARGEST_ANIMAL


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
    return COCO_STUFF.encode(np.array([COCO_STUFF.names.index(name) for name in names]))


def most_frequent(labels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The most frequent value in the window around each pixel of a label map [H,W]."""
    values = np.unique(labels)
    votes = [
        ndimage.uniform_filter((labels == value).astype(np.float32), MODE_WINDOW)
        for value in values
    ]
    winners: NDArray[np.uint8] = values[np.argmax(votes, axis=0)]
    return winners
