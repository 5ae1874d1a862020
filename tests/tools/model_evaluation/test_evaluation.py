from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from spadepis.labels import ADE20K, COCO_STUFF, LABEL_SPACES
from spadepis.pipeline.stages.synthesize import Synthesize
from spadepis.spade import SpadeGenerator
from spadepis.training.perceptual import PerceptualNetwork
from spadepis.training.photos import list_pairs
from spadepis.training.spade import initialize
from tools.model_evaluation.evaluation import table
from tools.model_evaluation.judge import (
    IGNORED,
    JUDGED_CLASSES,
    Judge,
    judged_labels,
    mean_iou,
)
from tools.model_evaluation.photowct_figures import luminance_edges
from tools.model_evaluation.spade_figures import Figures, Measurement, diversity, synthesize

MOSAIC = "mosaic_ade20k_top31_logits.tflite"


def halves(left: int, right: int) -> Tensor:
    """Labels [64,64]."""
    labels = torch.full((64, 64), left)
    labels[:, 32:] = right
    return labels


def test_mean_iou_counts_the_classes_that_are_there() -> None:
    assert mean_iou([halves(3, 7)], [halves(3, 7)], 9) == (1, {3: 1, 7: 1})
    expected = halves(3, 7)
    # Half of class 7 is really class 3, and some lines count for nothing.
    expected[:, 48:] = 3
    expected[:8] = IGNORED
    mean, by_class = mean_iou([halves(3, 7)], [expected], 9)
    assert by_class == pytest.approx({3: 2 / 3, 7: 1 / 2})
    assert mean == pytest.approx((2 / 3 + 1 / 2) / 2)


def test_mean_iou_takes_what_was_not_found_for_a_miss() -> None:
    mean, by_class = mean_iou([halves(3, IGNORED)], [halves(3, 7)], 9)
    assert by_class == {3: 1, 7: 0} and mean == 0.5


def test_rare_classes_do_not_count() -> None:
    expected = halves(3, 3)
    expected[0, :4] = 7
    assert set(mean_iou([expected], [expected], 9)[1]) == {3}


def test_each_class_is_judged_once_in_both_label_spaces() -> None:
    values = [value for values, _ in JUDGED_CLASSES.values() for value in values]
    names = [name for _, names in JUDGED_CLASSES.values() for name in names]
    assert len(set(values)) == len(values) and len(set(names)) == len(names)
    assert set(names) <= set(COCO_STUFF.names)
    judged = list(JUDGED_CLASSES)
    for space, name, expected in (
        (COCO_STUFF, "clouds", "sky"),
        (COCO_STUFF, "house", "building"),
        (ADE20K, "house", "building"),
        (ADE20K, "sea", "water"),
        (LABEL_SPACES["ade20k-0-to-149"], "sea", "water"),
    ):
        labels = torch.tensor([[space.names.index(name)]])
        assert judged_labels(labels, space).item() == judged.index(expected)
    unknown = torch.tensor([[COCO_STUFF.num_classes - 1, COCO_STUFF.names.index("dog")]])
    assert judged_labels(unknown, COCO_STUFF).tolist() == [[IGNORED, IGNORED]]


def test_the_judge_finds_the_classes_in_photos(shared: Path) -> None:
    judge = Judge(shared / "weights" / MOSAIC)
    folder = shared / "data" / "coco_stuff_val"
    found, expected = [], []
    for pair in list_pairs(folder / "images", folder / "labels", COCO_STUFF)[:4]:
        read = pair.read()
        found.append(judge(read.photo / 255))
        expected.append(judged_labels(read.labels.long(), COCO_STUFF))
    assert mean_iou(found, expected, len(JUDGED_CLASSES))[0] > 0.4
    inverted = [labels.flip(0) for labels in found]
    assert mean_iou(inverted, expected, len(JUDGED_CLASSES))[0] < 0.3


def test_figures_get_worse_with_the_difference(perceptual: PerceptualNetwork) -> None:
    random = torch.Generator().manual_seed(0)
    photos = [torch.rand(3, 64, 64, generator=random) for _ in range(4)]
    close = [photo + 0.05 * torch.randn(photo.shape, generator=random) for photo in photos]
    striped = [photo.mean(dim=2, keepdim=True).expand(3, -1, 64) for photo in photos]
    labels = [halves(3, 7)] * 4
    measure = Measurement(perceptual, None, photos, labels, COCO_STUFF)
    itself, near, distant = measure(photos), measure(close), measure(striped)
    assert len(itself.frechet) == 4 and itself.mean_iou is None
    for level, distance in itself.frechet.items():
        assert abs(distance) < near.frechet[level] < distant.frechet[level]
    assert distant.stripes > 2 * itself.stripes
    assert near.frame == pytest.approx(itself.frame, abs=0.1)


@pytest.mark.parametrize("noise", [False, True])
def test_diversity_is_that_of_seeds(
    noise: bool, perceptual: PerceptualNetwork, tmp_path: Path
) -> None:
    torch.manual_seed(0)
    generator = SpadeGenerator(COCO_STUFF, 2, 4, noise=noise)
    initialize(generator)
    path = tmp_path / "spade.safetensors"
    save_file(generator.state_dict(), path)
    # Of any size, as in a job.
    maps = [halves(3, 7), halves(4, 5)[:50]]
    pictures, others = (
        synthesize(Synthesize(str(path), COCO_STUFF, "cpu", half=False, content_seed=seed), maps)
        for seed in (0, 1)
    )
    assert [tuple(picture.shape) for picture in pictures] == [(3, 64, 64), (3, 50, 64)]
    assert all(picture.min() >= 0 and picture.max() <= 1 for picture in pictures)
    assert (diversity(perceptual, pictures, others) > 0) == noise


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


def test_figures_are_printed_where_nothing_is_recognised_in_photos() -> None:
    none, some = (Figures({2: 1.0}, 0.1, 1.0, iou, {}) for iou in (0.0, 0.25))
    *_, photo, content = table({"photo": none, "content": some}).splitlines()
    assert photo.startswith("| photo | 0.000 | - |")
    assert content.startswith("| content | 0.250 | - |")
