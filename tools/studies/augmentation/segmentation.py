"""A segmentation network with a pretrained encoder, trained on real and generated pairs."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from spadepis.labels import LabelSpace
from spadepis.training.crops import crop_pairs
from spadepis.training.efficientnet import FrozenFeatures
from spadepis.training.photos import Pair
from spadepis.training.sources import Source, draw
from tools.model_evaluation.judge import IGNORED
from tools.model_evaluation.judge import mean_iou as mean_iou_of_maps

log = logging.getLogger(__name__)

# The finest of the encoder's levels that the decoder uses, at stride 4.
FIRST_LEVEL = 1
# Channels of every level of the decoder.
WIDTH = 64
# The encoder has learnt already.
ENCODER_RATE, DECODER_RATE = 3e-4, 2e-3
# Share of the steps in which the rates rise; they then fall with a cosine.
WARM_UP = 0.1
# Classes rarer than the first weigh no more, and none weighs more than the second.
SMALLEST_SHARE, LARGEST_WEIGHT = 1e-5, 8.0
STEPS_BETWEEN_REPORTS = 100


class SegmentationNetwork(nn.Module):
    """EfficientNet-Lite0 trained on ImageNet, with a feature pyramid from stride 32 to 4.

    The pyramid (Lin et al., CVPR 2017) adds the finer features to the coarser ones, enlarged. The
    encoder's batch norm is folded into its convolutions, all of which are trained.
    """

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        # Frozen where it serves a discriminator; here it is where the training starts.
        self.encoder = FrozenFeatures.from_package().requires_grad_(True)
        widths = self.encoder.widths[FIRST_LEVEL:]
        self.project = nn.ModuleList(nn.Conv2d(width, WIDTH, 1) for width in widths)
        self.smooth = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(WIDTH, WIDTH, 3, padding=1, bias=False),
                nn.BatchNorm2d(WIDTH),
                nn.ReLU(),
            )
            for _ in widths[1:]
        )
        self.classify = nn.Conv2d(WIDTH, num_classes, 1)

    def forward(self, images: Tensor) -> Tensor:
        """RGB [N,3,H,W] in [0,1] to class scores [N,classes,H,W]."""
        features = self.encoder(2 * images - 1)[FIRST_LEVEL:]
        levels = [project(level) for project, level in zip(self.project, features, strict=True)]
        x = levels.pop()
        for smooth in self.smooth:
            finer = levels.pop()
            x = smooth(finer + F.interpolate(x, finer.shape[2:]))
        return F.interpolate(self.classify(x), images.shape[2:], mode="bilinear")


def train_segmentation(
    sources: Sequence[Source[Pair]],
    class_weights: Tensor,
    steps: int,
    batch_size: int,
    crop: int,
    checks: int,
    seed: int,
    change: Callable[[Tensor], Tensor] = lambda photos: photos,
) -> Iterator[tuple[int, SegmentationNetwork]]:
    """Train on random crops of pairs, with AdamW (Loshchilov and Hutter, ICLR 2019).

    Args:
        sources: pairs and how often they are drawn.
        class_weights: of the cross-entropy, [classes]; the last class, unknown, does not count.
        steps: number of training steps.
        batch_size: crops in a step.
        crop: their side in pixels.
        checks: how often the network is given out, the last time when it is trained.
        seed: of the decoder's weights, the crops and their changes.
        change: may alter the colours of each batch of photos, [N,3,crop,crop] in [0,1].

    Yields:
        The number of steps done and the network, in evaluation mode.
    """
    torch.manual_seed(seed)
    network = SegmentationNetwork(len(class_weights))
    encoder = list(network.encoder.parameters())
    known = {id(parameter) for parameter in encoder}
    decoder = [parameter for parameter in network.parameters() if id(parameter) not in known]
    optimizer = torch.optim.AdamW([{"params": encoder}, {"params": decoder}])
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, [ENCODER_RATE, DECODER_RATE], steps, pct_start=WARM_UP
    )
    random = torch.Generator().manual_seed(seed)
    given_out = {steps * (check + 1) // checks for check in range(checks)}
    network.train()
    for step in range(1, steps + 1):
        photos, labels = crop_pairs(draw(sources, batch_size, random), crop, random)
        loss = F.cross_entropy(
            network(change(photos)), labels, class_weights, ignore_index=len(class_weights) - 1
        )
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        optimizer.step()
        schedule.step()
        if step % STEPS_BETWEEN_REPORTS == 0:
            log.info("segmentation step %d of %d  loss %.3f", step, steps, float(loss.detach()))
        if step in given_out:
            yield step, network.eval()
            network.train()


@torch.no_grad()
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


def class_weights(pairs: Sequence[Pair], num_classes: int) -> Tensor:
    """Weights [num_classes] by the root of how rare classes are.

    They have a mean of 1 over the pixels, but for the bound on the largest.
    """
    pixels = torch.zeros(num_classes)
    for pair in pairs:
        pixels += torch.bincount(pair.labels.flatten().long(), minlength=num_classes)
    shares = pixels / pixels.sum()
    weights = torch.where(pixels > 0, shares.clamp(min=SMALLEST_SHARE).rsqrt(), 0)
    return (weights / (weights * shares).sum()).clamp(max=LARGEST_WEIGHT)
