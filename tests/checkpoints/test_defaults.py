"""The models that come with spadepis, as a user gets them."""

from importlib.resources import files
from pathlib import Path

import pytest
import torch
from torchmetrics.functional.image import peak_signal_noise_ratio

from spadepis.checkpoints.defaults import DEFAULT_PHOTOWCT_CHECKPOINT, DEFAULT_SPADE_CHECKPOINT
from spadepis.dataset.inputs.label_maps import read_label_map, resize_label_map
from spadepis.dataset.inputs.photos import read_photo, resize_photo
from spadepis.labels import COCO_STUFF, instance_edges
from spadepis.photowct import PhotoWCT
from spadepis.spade import SpadeGenerator

INPUTS = Path(str(files("spadepis"))) / "demo" / "inputs"
MAX_PIXELS = 10**6


def test_together_they_are_small() -> None:
    paths = {DEFAULT_PHOTOWCT_CHECKPOINT, DEFAULT_SPADE_CHECKPOINT}
    assert sum(Path(path).stat().st_size for path in paths) <= 16e6


@pytest.mark.parametrize("style", ["autumn", "overcast", "night"])
def test_photowct_gives_a_photo_back_when_it_is_its_own_style(style: str) -> None:
    network = PhotoWCT.from_checkpoint(DEFAULT_PHOTOWCT_CHECKPOINT)
    pixels = resize_photo(read_photo(str(INPUTS / "styles" / f"{style}.jpg"), MAX_PIXELS), 192, 256)
    photo = torch.tensor(pixels).permute(2, 0, 1).float() / 255
    stylized = network.stylize(photo, [network.encode_style(photo)])[0].clamp(0, 1)
    assert peak_signal_noise_ratio(stylized, photo, data_range=1.0) > 24


def test_spade_paints_classes_in_their_colours() -> None:
    generator = SpadeGenerator.from_checkpoint(DEFAULT_SPADE_CHECKPOINT, COCO_STUFF)
    raw, instances = (
        resize_label_map(read_label_map(str(INPUTS / folder / "suburb.png"), MAX_PIXELS), 256, 256)
        for folder in ("masks", "instances")
    )
    labels = torch.from_numpy(COCO_STUFF.decode(raw))
    picture = generator(labels[None], torch.from_numpy(instance_edges(instances))[None])[0]

    def colour(name: str) -> torch.Tensor:
        pixels: torch.Tensor = picture[:, labels == COCO_STUFF.names.index(name)]
        return pixels.mean(dim=1)

    sky, road, tree = colour("sky-other"), colour("road"), colour("tree")
    assert sky.mean() > road.mean() + 0.2 > tree.mean()
    # Red, green and blue of a tree: not red, and no sky.
    assert tree[1] > tree[0] - 0.02 and tree[1] > tree[2]
