"""Training PhotoWCT to give photos back, and to decode features with the style of another."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor
from torchvision.utils import save_image

from spadepis.checkpoints.errors import CheckpointError
from spadepis.checkpoints.reading import read_state_dict
from spadepis.dataset.storage.replacement import replacing
from spadepis.photowct.network import LEVELS
from spadepis.training.cascade import FEATURE_SCALE, Cascade
from spadepis.training.config import TrainPhotoWCTConfig
from spadepis.training.crops import crop_photos
from spadepis.training.descent import descend, half_cosine
from spadepis.training.perceptual import SMALLEST_UNIT, PerceptualNetwork, perceptual_distance
from spadepis.training.photos import read_photo
from spadepis.training.photowct_losses import structure_distance, style_distance, transfer
from spadepis.training.seeding import random_of_step
from spadepis.training.sources import Source, draw
from spadepis.training.training_state import (
    SECONDS_BETWEEN_STATES,
    STATE_FILE,
    Stateful,
    load_state,
    save_state,
)

# The level whose decoder is compared by features in each step; deep decoders have more to learn.
# Comparing costs as much as all the rest, so every other step does without.
LEVEL_OF_STEP = (4, None, 3, None, 4, None, 2, None, 4, None, 3, None, 1, None)

# Weights of the terms of the loss; that of the reconstruction is 1.
WEIGHTS = {"perceptual": 0.08, "style": 0.04, "structure": 0.04, "distillation": 0.04}
LONGEST_GRADIENT = 1.0
STEPS_BETWEEN_REPORTS = 50
STEPS_BETWEEN_SHEETS = 500
PHOTOS_ON_SHEET = 8


def losses(
    cascade: Cascade, perceptual: PerceptualNetwork, photos: Tensor, level: int | None
) -> dict[str, Tensor]:
    """The terms of the loss, weighted.

    Photos [N,3,H,W] are reconstructed at all levels; at ``level`` they are given each other's style
    and compared by features as well.
    """
    features, poolings = cascade.encoder.forward_levels(photos)
    decoded = {deep: cascade.decode(deep, features[deep], poolings) for deep in LEVELS}
    errors = [F.l1_loss(decoded[deep], photos) for deep in LEVELS]
    terms = {"reconstruction": torch.stack(errors).sum()}
    if level is None:
        return terms

    of_content = features[level].detach().float()
    transferred = transfer(of_content, of_content.roll(1, dims=0), FEATURE_SCALE)
    stylized = cascade.decode(level, transferred, poolings)
    with torch.no_grad():
        targets = perceptual(photos)
    count = len(photos)
    compared = perceptual(torch.cat([decoded[level], stylized]))
    of_reconstruction = [feature[:count] for feature in compared]
    of_stylized = [feature[count:] for feature in compared[:3]]
    of_styles = [target.roll(1, dims=0) for target in targets[:3]]
    by_features = {
        "perceptual": perceptual_distance(of_reconstruction, targets),
        "style": style_distance(of_stylized, of_styles),
        "structure": structure_distance(stylized, photos),
        "distillation": _distillation(cascade, features, targets),
    }
    return terms | {name: WEIGHTS[name] * term for name, term in by_features.items()}


def _distillation(
    cascade: Cascade, features: Mapping[int, Tensor], targets: list[Tensor]
) -> Tensor:
    """Squared error of SqueezeNet's features predicted from levels 3 and 4, in variances."""
    errors = []
    for level in (3, 4):
        target = targets[level - 2]
        target = target / target.std().clamp(min=SMALLEST_UNIT)
        aligned = F.interpolate(target, features[level].shape[2:], mode="bilinear")
        errors.append(F.mse_loss(cascade.heads[str(level)](features[level]), aligned))
    return torch.stack(errors).mean()


def train_photowct(
    config: TrainPhotoWCTConfig,
    photos: Sequence[Source[Path]],
    held_out: Sequence[Path],
    perceptual: PerceptualNetwork,
) -> Cascade:
    """Train, writing the state and a sample sheet into the output folder as it goes.

    Resumes from the state in that folder where there is one. The state is written once a minute,
    the sheet of held-out photos every 500 steps.

    Args:
        config: the settings of the training.
        photos: files, by source.
        held_out: files that are shown on the sample sheet.
        perceptual: compares pictures.

    Raises:
        CheckpointError: the checkpoint to start from cannot be read, or is of other widths.
        UnreadableImageError: a photo cannot be read.
    """
    steps, crop, seed, output = config.steps, config.crop, config.seed, config.output
    device = torch.device(config.device)
    torch.manual_seed(seed)
    cascade = Cascade(config.widths).to(device)
    if config.initial_checkpoint is not None:
        _start_from(cascade, config.initial_checkpoint)
    perceptual = perceptual.to(device)
    optimizer = torch.optim.Adam(cascade.parameters(), config.learning_rate, betas=(0.9, 0.99))
    parts: dict[str, Stateful] = {"cascade": cascade, "optimizer": optimizer}
    state = output / STATE_FILE
    first = load_state(state, parts, config.kept_settings)
    print(f"step {first} of {steps}; state and samples in {output}", flush=True)
    rates = half_cosine(optimizer, steps, first)
    samples = None
    # Of a few photos none may be held out.
    if held_out:
        random = torch.Generator().manual_seed(seed)
        shown = draw([Source.of_equals(held_out)], PHOTOS_ON_SHEET, random)
        samples = _crops(shown, 2 * crop, torch.Generator().manual_seed(seed)).to(device)

    saved = time.monotonic()
    for step in range(first, steps):
        random = random_of_step(seed, step)
        batch = _crops(draw(photos, config.batch_size, random), crop, random).to(device)
        batch = batch.to(memory_format=torch.channels_last)
        level = LEVEL_OF_STEP[step % len(LEVEL_OF_STEP)]
        with torch.autocast(device.type, torch.bfloat16, enabled=config.bfloat16):
            terms = losses(cascade, perceptual, batch, level)
        descend(optimizer, torch.stack(list(terms.values())).sum(), LONGEST_GRADIENT)
        rates.step()
        if step % STEPS_BETWEEN_REPORTS == 0:
            figures = "  ".join(f"{name} {float(t.detach()):.4f}" for name, t in terms.items())
            print(f"step {step + 1} of {steps}  level {level}  {figures}", flush=True)
        if time.monotonic() - saved >= SECONDS_BETWEEN_STATES or step + 1 == steps:
            save_state(state, step + 1, parts, config.kept_settings)
            saved = time.monotonic()
        is_shown = (step + 1) % STEPS_BETWEEN_SHEETS == 0 or step + 1 == steps
        if is_shown and samples is not None:
            _write_sheet(output / "samples.jpg", cascade, samples)
    return cascade


def _start_from(cascade: Cascade, uri: str) -> None:
    try:
        cascade.start_from(read_state_dict(uri))
    except (KeyError, RuntimeError) as error:
        raise CheckpointError(
            f"checkpoint {uri} cannot be trained on: it is no PhotoWCT of the widths of --widths"
        ) from error


def _crops(photos: Sequence[Path], size: int, random: torch.Generator) -> Tensor:
    return crop_photos([read_photo(path) for path in photos], size, random)


@torch.no_grad()
def _write_sheet(path: Path, cascade: Cascade, photos: Tensor) -> None:
    """Photos, their reconstructions at level 4, and each with the style of the one before."""
    features, poolings = cascade.encoder.forward_levels(photos)
    reconstructed = cascade.decode(4, features[4], poolings)
    transferred = transfer(features[4], features[4].roll(1, dims=0), FEATURE_SCALE)
    stylized = cascade.decode(4, transferred, poolings)
    error = float((reconstructed - photos).square().mean())
    print(f"held-out reconstruction at level 4: {-10 * math.log10(error):.1f} dB", flush=True)
    pictures = torch.cat([photos, reconstructed, stylized]).clamp(0, 1)
    with replacing(path) as unfinished:
        save_image(pictures, unfinished, nrow=len(photos), format="jpeg")
