import pytest
import torch
from torch import Tensor

from spadepis.labels import COCO_STUFF
from spadepis.training.perceptual import PerceptualNetwork
from spadepis.training.photos import Pair, Split
from spadepis.training.photowct_evaluation import luminance_edges
from spadepis.training.segmentation import SegmentationNetwork, train_segmentation
from spadepis.training.spade_evaluation import (
    frechet_by_level,
    mean_colours,
    mean_iou,
    resized,
)

UNKNOWN = COCO_STUFF.num_classes - 1


def two_classes(columns: int) -> Pair:
    """Class 3, dark, up to a column, and class 7, light, from there on; [64,64]."""
    labels = torch.full((64, 64), 3, dtype=torch.uint8)
    labels[:, columns:] = 7
    photo = torch.where(labels == 3, 30, 220).expand(3, 64, 64).to(torch.uint8)
    return Pair(photo.contiguous(), labels)


def test_mean_colours_are_those_of_the_pixels_of_a_class() -> None:
    colours = mean_colours([two_classes(10), two_classes(50)], COCO_STUFF.num_classes)
    torch.testing.assert_close(colours[3], torch.full((3,), 30 / 255), rtol=1e-4, atol=0)
    torch.testing.assert_close(colours[7], torch.full((3,), 220 / 255), rtol=1e-4, atol=0)
    assert colours[5].tolist() == [0.5, 0.5, 0.5]


def test_pairs_are_resized_together() -> None:
    photo, labels = resized(two_classes(16), 32)
    assert photo.shape == (3, 32, 32) and labels.shape == (32, 32)
    assert (labels == 3).sum() == 8 * 32
    assert photo[0, 5, 2] == pytest.approx(30 / 255) and photo[0, 5, 20] == pytest.approx(220 / 255)


class Recall(SegmentationNetwork):
    """Finds class 3 in dark pixels and class 7 in light ones."""

    def forward(self, images: Tensor) -> Tensor:
        scores = torch.zeros(len(images), COCO_STUFF.num_classes, *images.shape[2:])
        scores[:, 3] = images[:, 0] < 0.5
        scores[:, 7] = images[:, 0] >= 0.5
        return scores


def test_mean_iou_counts_the_classes_that_are_there_and_no_unknown_pixels() -> None:
    network = Recall(COCO_STUFF.num_classes)
    photo, labels = resized(two_classes(32), 64)
    mean, by_class = mean_iou(network, [photo], [labels], COCO_STUFF)
    assert mean == 1
    assert by_class == {COCO_STUFF.names[3]: 1.0, COCO_STUFF.names[7]: 1.0}
    # Half of class 7 is really class 3, and a stripe is unknown.
    wrong = labels.clone()
    wrong[:, 48:] = 3
    wrong[:8] = UNKNOWN
    mean, by_class = mean_iou(network, [photo], [wrong], COCO_STUFF)
    assert by_class == pytest.approx({COCO_STUFF.names[3]: 2 / 3, COCO_STUFF.names[7]: 1 / 2})
    assert mean == pytest.approx((2 / 3 + 1 / 2) / 2)


def test_segmentation_learns_what_tells_classes_apart() -> None:
    pairs = Split([[two_classes(columns) for columns in (16, 24, 40, 48)]], [[two_classes(32)]])
    network = train_segmentation(pairs, COCO_STUFF.num_classes, 60, 4, 32, seed=0)
    photo, labels = resized(two_classes(28), 64)
    assert mean_iou(network, [photo], [labels], COCO_STUFF)[0] > 0.8


def test_frechet_distances_grow_with_the_difference(perceptual: PerceptualNetwork) -> None:
    random = torch.Generator().manual_seed(0)
    photos = [torch.rand(3, 64, 64, generator=random) for _ in range(4)]
    close = [photo + 0.05 * torch.randn(photo.shape, generator=random) for photo in photos]
    far = [torch.full_like(photo, 0.5) for photo in photos]
    itself, near, distant = (
        frechet_by_level(perceptual, set_, photos) for set_ in (photos, close, far)
    )
    assert len(itself) == 4
    for level in itself:
        assert abs(itself[level]) < near[level] < distant[level]


def test_luminance_edges_are_where_the_luminance_changes() -> None:
    image = torch.zeros(3, 16, 16)
    image[:, :, 8:] = 1
    edges = luminance_edges(image)
    assert edges.shape == (1, 1, 16, 16)
    assert edges[0, 0, :, 7:9].min() == pytest.approx(1.0, abs=1e-3)
    assert edges[0, 0, :, :6].max() == 0
    # A change of hue at the same luminance is no edge.
    hue = torch.zeros(3, 16, 16)
    hue[0, :, :8], hue[1, :, 8:] = 0.587, 0.299
    assert luminance_edges(hue).max() < 0.01
