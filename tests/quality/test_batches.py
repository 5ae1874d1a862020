"""The metrics of many results at once are those of each by itself, within rounding."""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from spadepis.quality import appearance, artifacts, batches, look, structure
from tests.support.pictures import clean_pictures, compress
from tools.pretended_gpu import PretendedGpu

# Relative to 1, for metrics of the size of 1; sharpness and colours are in levels.
TOLERANCE = 1e-4
# Where edges of equal strength are many, rounding decides in float64.
TOLERANCE_OF_TIES = 2e-3


@pytest.fixture(scope="module")
def images() -> NDArray[np.uint8]:
    """Photos of one size, clean and compressed, and one of a single colour."""
    pictures = [picture[:90, :120] for picture in clean_pictures()[:3]]
    flat = np.full((90, 120, 3), 255, np.uint8)
    return np.stack([*pictures, *(compress(picture, 40) for picture in pictures), flat])


@pytest.fixture(scope="module")
def label_maps(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    generator = np.random.default_rng(0)
    blocks = generator.integers(0, 5, (len(images), 6, 8), dtype=np.uint8)
    maps = blocks.repeat(15, axis=1).repeat(15, axis=2)
    # One without boundaries.
    maps[0] = 3
    return maps


def test_they_are_those_of_single_results(
    images: NDArray[np.uint8], label_maps: NDArray[np.uint8]
) -> None:
    levels = torch.from_numpy(images)
    planes = batches.luminance(levels)
    edges = batches.edge_magnitudes(planes)
    rolled = edges.roll(1, 0)
    found = {
        "structure": batches.edge_similarity(rolled, edges),
        "clipped": batches.clipped_share(levels),
        "sharpness": batches.sharpness(planes) / 10,
        "blockiness": batches.blockiness(planes),
        "stripes": batches.stripes(planes),
        "frame": batches.frame(levels),
        "boundary": batches.boundary_disagreement(torch.from_numpy(label_maps), edges),
    }
    contents = np.roll(images, 1, axis=0)
    expected = {
        "structure": [structure.edge_similarity(a, b) for a, b in zip(contents, images)],  # noqa: B905
        "clipped": [appearance.clipped_share(image) for image in images],
        "sharpness": [appearance.sharpness(image) / 10 for image in images],
        "blockiness": [appearance.blockiness(image) for image in images],
        "stripes": [artifacts.stripes(image) for image in images],
        "frame": [artifacts.frame(image) for image in images],
        "boundary": [
            structure.boundary_disagreement(a, b)
            for a, b in zip(label_maps, images)  # noqa: B905
        ],
    }
    for name, values in expected.items():
        tolerance = TOLERANCE_OF_TIES if name == "boundary" else TOLERANCE
        np.testing.assert_allclose(found[name], values, rtol=0, atol=tolerance, err_msg=name)
    assert np.isnan(found["boundary"][0])


@pytest.mark.parametrize("size", [(1, 60), (60, 2)])
def test_narrow_results_have_no_stripes(size: tuple[int, int]) -> None:
    assert batches.stripes(torch.rand(3, *size)).isnan().tolist() == [True] * 3


def test_looks_are_those_of_single_results(images: NDArray[np.uint8]) -> None:
    features = [torch.rand(len(images), 4, 9, 12), torch.rand(len(images), 6, 5, 6)]
    levels = torch.from_numpy(images)
    rows = torch.cat([batches.lab_statistics(levels), batches.feature_statistics(features)], 1)
    for i, row in enumerate(rows):
        found = batches.look_of(row, [4, 6])
        colours = look.colour_statistics(images[i])
        assert look.colour_distance(found.colours, colours) < 0.01
        expected = [look.channel_statistics(level[i].numpy()) for level in features]
        assert look.feature_distance(found.features, expected) < TOLERANCE


def test_the_host_waits_for_nothing(
    images: NDArray[np.uint8], label_maps: NDArray[np.uint8]
) -> None:
    with PretendedGpu() as gpu:
        levels, maps = (torch.from_numpy(each).to("cuda") for each in (images, label_maps))
        gpu.restart()
        planes = batches.luminance(levels)
        edges = batches.edge_magnitudes(planes)
        batches.edge_similarity(edges, edges)
        batches.clipped_share(levels)
        batches.sharpness(planes)
        batches.blockiness(planes)
        batches.stripes(planes)
        batches.frame(levels)
        batches.boundary_disagreement(maps, edges)
        batches.feature_statistics([edges[:, None]])
        batches.lab_statistics(levels)
        counts = gpu.restart()
    assert counts.synchronisations.total() == counts.wrong_device.total() == 0
    assert counts.float64.total() == 0
    assert counts.launches.total() < 250
