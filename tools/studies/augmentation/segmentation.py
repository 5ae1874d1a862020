"""A small segmentation network, to see whether generated photos show what was asked for."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from spadepis.labels import LabelSpace
from spadepis.training.crops import crop_pairs
from spadepis.training.photos import Pair
from spadepis.training.sources import Source, draw
from tools.model_evaluation.judge import IGNORED
from tools.model_evaluation.judge import mean_iou as mean_iou_of_maps

log = logging.getLogger(__name__)

WIDTHS = (16, 32, 64, 96, 96)
LEARNING_RATE = 3e-3
# Classes rarer than the first weigh no more, and none weighs more than the second.
SMALLEST_SHARE, LARGEST_WEIGHT = 1e-5, 8.0
STEPS_BETWEEN_REPORTS = 100


class SegmentationNetwork(nn.Module):
    """U-Net (Ronneberger et al., 2015) with batch norm and four poolings."""

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        self.first = _convolutions(3, WIDTHS[0])
        self.down = nn.ModuleList(_convolutions(a, b) for a, b in pairwise(WIDTHS))
        self.up = nn.ModuleList(
            _convolutions(deep + shallow, shallow) for shallow, deep in pairwise(WIDTHS)
        )
        self.classify = nn.Conv2d(WIDTHS[0], num_classes, 1)

    def forward(self, images: Tensor) -> Tensor:
        """RGB [N,3,H,W] in [0,1], sides divisible by 16, to class scores [N,classes,H,W]."""
        levels = [self.first(2 * images - 1)]
        for block in self.down:
            levels.append(block(F.max_pool2d(levels[-1], 2)))
        x = levels.pop()
        for block in reversed(self.up):
            shallow = levels.pop()
            x = block(torch.cat([F.interpolate(x, scale_factor=2.0), shallow], dim=1))
        scores: Tensor = self.classify(x)
        return scores


def train_segmentation(
    pairs: Sequence[Sequence[Pair]],
    num_classes: int,
    steps: int,
    batch_size: int,
    crop: int,
    seed: int,
    change: Callable[[Tensor], Tensor] = lambda photos: photos,
) -> SegmentationNetwork:
    """Train on random crops of pairs; the last class, unknown, does not count.

    Rare classes weigh more in the loss, by the root of how rare they are. ``change`` may alter
    the colours of each batch of photos, [N,3,crop,crop] in [0,1].
    """
    torch.manual_seed(seed)
    network = SegmentationNetwork(num_classes).to(memory_format=torch.channels_last)
    weights = _class_weights(pairs, num_classes)
    sources = [Source.of_equals(of_source) for of_source in pairs]
    optimizer = torch.optim.AdamW(network.parameters(), LEARNING_RATE)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, LEARNING_RATE, steps)
    random = torch.Generator().manual_seed(seed)
    for step in range(steps):
        photos, labels = crop_pairs(draw(sources, batch_size, random), crop, random)
        with torch.autocast("cpu", torch.bfloat16):
            scores = network(change(photos).contiguous(memory_format=torch.channels_last))
        loss = F.cross_entropy(scores.float(), labels, weights, ignore_index=num_classes - 1)
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        optimizer.step()
        schedule.step()
        if (step + 1) % STEPS_BETWEEN_REPORTS == 0:
            log.info("segmentation step %d of %d  loss %.3f", step + 1, steps, float(loss.detach()))
    return network.eval().requires_grad_(False)


def mean_iou(
    network: SegmentationNetwork, pairs: Sequence[Pair], space: LabelSpace
) -> tuple[float, dict[str, float]]:
    """Mean IoU of the classes that the network finds in the photos of pairs, and that of each.

    Unknown pixels, the last class of the label space, do not count.
    """
    found, expected = [], []
    for pair in pairs:
        found.append(network(pair.photo[None] / 255).argmax(dim=1)[0])
        labels = pair.labels.long()
        expected.append(labels.where(labels != space.num_classes - 1, IGNORED))
    mean, by_class = mean_iou_of_maps(found, expected, space.num_classes)
    return mean, {space.names[number]: value for number, value in by_class.items()}


def _class_weights(pairs: Sequence[Sequence[Pair]], num_classes: int) -> Tensor:
    """Weights [num_classes], of mean 1 over the pixels but for the bound on the largest."""
    pixels = torch.zeros(num_classes)
    for pair in (pair for source in pairs for pair in source):
        pixels += torch.bincount(pair.labels.flatten().long(), minlength=num_classes)
    shares = pixels / pixels.sum()
    weights = torch.where(pixels > 0, shares.clamp(min=SMALLEST_SHARE).rsqrt(), 0)
    return (weights / (weights * shares).sum()).clamp(max=LARGEST_WEIGHT)


def _convolutions(channels_in: int, channels_out: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(channels_in, channels_out, 3, padding=1, bias=False),
        nn.BatchNorm2d(channels_out),
        nn.ReLU(),
        nn.Conv2d(channels_out, channels_out, 3, padding=1, bias=False),
        nn.BatchNorm2d(channels_out),
        nn.ReLU(),
    )
