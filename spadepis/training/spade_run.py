"""A run of SPADE's training: its steps in order, what it prints and what it writes."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path

import torch
from torch import Tensor
from torchvision.utils import save_image

from spadepis.dataset.storage.replacement import replacing
from spadepis.spade import SpadeGenerator
from spadepis.training.batches import Batches, one_ahead, read_ahead
from spadepis.training.config import TrainSpadeConfig
from spadepis.training.crops import resize_pair
from spadepis.training.photos import PairFile
from spadepis.training.spade import Training
from spadepis.training.training_pairs import TrainingPairs
from spadepis.training.training_state import (
    SECONDS_BETWEEN_STATES,
    STATE_FILE,
    load_state,
    save_state,
    save_weights,
)

CALIBRATION_PHOTOS = 16
CROPS_FOR_STATISTICS = 480
# Beyond those of the training.
FIRST_STEP_FOR_STATISTICS = 2**31
STEPS_BETWEEN_REPORTS = 10
STEPS_BETWEEN_SHEETS = 250
# A multiple of the former: the weights are those that drew the sheet.
STEPS_BETWEEN_WEIGHTS = 1000
SHEET_ROWS, SCENES_IN_A_ROW, SHEET_SIZE = 12, 2, 256


def train_spade(
    config: TrainSpadeConfig, pairs: TrainingPairs, training: Training
) -> SpadeGenerator:
    """Train and return the averaged generator.

    Resumes from ``state.pt`` in the output folder where there is one. Progress is printed every 10
    steps, and the state is written once a minute. A sheet ``samples_NNNNNN.jpg`` of held-out scenes
    is written every 250 steps, and the weights every 1000.
    """
    output, state = config.output, config.output / STATE_FILE
    first = load_state(state, training.parts, config.kept_settings)
    training.resume(first)
    if first == 0:
        size, crop = CALIBRATION_PHOTOS, config.crop
        photos = Batches(pairs, size, crop, config.seed, [0], lambda batch: batch.photos)[0]
        training.features.calibrate((2 * photos - 1).to(training.device))
    print(f"step {first} of {config.steps}; state and samples in {output}", flush=True)
    scenes, maps = scenes_of_sheet(pairs.held_out), batches_for_statistics(config, pairs)
    steps = range(first, config.steps)
    batches = Batches(pairs, config.batch_size, config.crop, config.seed, steps, training.prepare)
    ahead = one_ahead(training.upload, read_ahead(batches, config.reading_processes))
    exported = None
    started = saved = time.monotonic()
    # Closed, the readers end whatever happens; else Python would wait for them for ever.
    with closing(ahead):
        for done, batch in enumerate(ahead, start=first + 1):
            terms = training.step(batch)
            if done % STEPS_BETWEEN_REPORTS == 0 or done == first + 1:
                seconds = (time.monotonic() - started) / (done - first)
                print(_progress(done, config, terms, seconds), flush=True)
            if time.monotonic() - saved >= SECONDS_BETWEEN_STATES or done == config.steps:
                save_state(state, done, training.parts, config.kept_settings)
                saved = time.monotonic()
            if done % STEPS_BETWEEN_SHEETS == 0 or done == config.steps:
                path, exported = output / f"samples_{done:06}.jpg", training.export(maps)
                # Of a few pairs none may be held out.
                if scenes:
                    write_sheet(path, exported, scenes)
                    print(f"wrote {path}", flush=True)
                if done % STEPS_BETWEEN_WEIGHTS == 0:
                    weights = output / f"spade_{done:06}.safetensors"
                    save_weights(weights, exported.state_dict(), exported.metadata)
    # A run that was complete already had no step.
    return exported or training.export(maps)


def batches_for_statistics(
    config: TrainSpadeConfig, pairs: TrainingPairs
) -> list[tuple[Tensor, Tensor]]:
    """Label maps [N,H,W] of training crops and seeds [N], for the statistics of batch norm."""
    count = math.ceil(CROPS_FOR_STATISTICS / config.batch_size)
    steps = range(FIRST_STEP_FOR_STATISTICS, FIRST_STEP_FOR_STATISTICS + count)
    batches = Batches(
        pairs,
        config.batch_size,
        config.crop,
        config.seed,
        steps,
        lambda batch: (batch.labels, batch.seeds),
    )
    return [(labels, own) for labels, own in read_ahead(batches, config.reading_processes)]


@torch.no_grad()
def write_sheet(path: Path, generator: SpadeGenerator, scenes: Sequence[PairFile]) -> None:
    """Write label map, photo and generated picture of scenes, whole at 256x256, two in a row."""
    pictures = []
    for scene in scenes:
        photo, labels = resize_pair(scene.read(), SHEET_SIZE)
        colours = torch.from_numpy(generator.label_space.colourize(labels.numpy()))
        generated = generator(labels[None])[0].cpu()
        pictures += [colours.permute(2, 0, 1) / 255, photo, (generated + 1) / 2]
    with replacing(path) as unfinished:
        save_image(pictures, unfinished, nrow=3 * SCENES_IN_A_ROW, format="jpeg")


def scenes_of_sheet(held_out: Sequence[Sequence[PairFile]]) -> list[PairFile]:
    """Held-out pairs of all sources, as many as fit on a sheet, evenly spaced."""
    pairs = [pair for source in held_out for pair in source]
    count = min(SHEET_ROWS * SCENES_IN_A_ROW, len(pairs))
    return [pairs[number * len(pairs) // count] for number in range(count)]


def _progress(
    step: int, config: TrainSpadeConfig, terms: Mapping[str, float], seconds: float
) -> str:
    figures = "  ".join(f"{name} {value:.3f}" for name, value in terms.items())
    hours = seconds * (config.steps - step) / 3600
    speed = config.batch_size / seconds
    return f"step {step} of {config.steps}  {figures}  {speed:.2f} images/s  {hours:.1f} h left"
