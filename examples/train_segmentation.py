"""Train a small segmentation network on an image set: ``train_segmentation.py URI [STEPS]``."""

from __future__ import annotations

import sys
from itertools import chain, repeat

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.data import DataLoader
from torchvision.transforms import v2

from spadepis import ImageSet

RAW_VALUES = 256
# What COCO-Stuff stores for pixels without a label.
UNLABELLED = 255


def train(uri: str, steps: int, crop: int = 64) -> list[float]:
    """Train on random crops, flipped half of the time, and return the loss of every step."""
    torch.manual_seed(0)
    # Image and label map are cropped and flipped together; only the image becomes float.
    transforms = v2.Compose(
        [
            v2.RandomCrop(crop, pad_if_needed=True, fill=0),
            v2.RandomHorizontalFlip(),
            v2.ToDtype(torch.float32, scale=True),
        ]
    )
    images = ImageSet(uri, transforms=transforms)
    loader = DataLoader(images, batch_size=8, shuffle=True)
    network = nn.Sequential(
        nn.Conv2d(3, 32, 3, padding=1, stride=2),
        nn.ReLU(),
        nn.Conv2d(32, 64, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(64, RAW_VALUES, 1),
        nn.Upsample(scale_factor=2, mode="bilinear"),
    )
    optimizer = torch.optim.Adam(network.parameters(), lr=3e-3)
    losses: list[float] = []
    for image, mask in chain.from_iterable(repeat(loader)):
        loss = _step(network, optimizer, image, mask)
        losses.append(loss)
        if len(losses) == steps:
            return losses
    return losses


def _step(
    network: nn.Module, optimizer: torch.optim.Optimizer, image: Tensor, mask: Tensor
) -> float:
    loss = F.cross_entropy(network(image), mask.long(), ignore_index=UNLABELLED)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


if __name__ == "__main__":
    steps = int(sys.argv[2]) if len(sys.argv) > 2 else 200
    losses = train(sys.argv[1], steps)
    print(f"loss {losses[0]:.3f} -> {losses[-1]:.3f} in {steps} steps")
