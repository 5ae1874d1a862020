"""A run of SPADE's training: its steps in order, what it prints and what it writes."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import torch
from torch import Generator, Tensor
from torchvision.utils import save_image

from spadepis.dataset.storage.replacement import replacing
from spadepis.spade import SpadeGenerator
from spadepis.training.config import TrainSpadeConfig
from spadepis.training.crops import crop_pairs, resize_pair
from spadepis.training.photos import PairFile
from spadepis.training.recolouring import Recolouring
from spadepis.training.sources import draw
from spadepis.training.spade import Batch, Training
from spadepis.training.training_pairs import TrainingPairs
from spadepis.training.training_state import load_state, save_state, save_weights

CALIBRATION_PHOTOS = 16
BATCHES_FOR_STATISTICS = 60
STEPS_BETWEEN_REPORTS = 10
STEPS_BETWEEN_STATES = 50
STEPS_BETWEEN_SHEETS = 250
# A multiple of the former: the weights are those that drew the sheet.
STEPS_BETWEEN_WEIGHTS = 1000
SHEET_ROWS, SCENES_IN_A_ROW, SHEET_SIZE = 12, 2, 256


def train_spade(
    config: TrainSpadeConfig, pairs: TrainingPairs, training: Training
) -> SpadeGenerator:
    """Train and return the averaged generator.

    Resumes from ``state.pt`` in the output folder where there is one. Progress is printed every 10
    steps. The state is written every 50 steps, a sheet ``samples_NNNNNN.jpg`` of held-out scenes
    every 250, and the weights every 1000.
    """
    output = config.output
    first = load_state(output / "state.pt", training.parts)
    training.resume(first)
    if first == 0:
        random = Generator().manual_seed(config.seed)
        photos = _draw_batch(pairs, CALIBRATION_PHOTOS, config.crop, random).photos
        training.features.calibrate((2 * photos - 1).to(training.device))
    print(f"step {first} of {config.steps}; state and samples in {output}", flush=True)
    scenes = scenes_of_sheet(pairs.held_out)
    started = time.monotonic()
    for step in range(first, config.steps):
        # The random numbers depend on the step alone, so that a resumed run sees the same crops.
        random = Generator().manual_seed((config.seed << 32) + step)
        batch = _draw_batch(pairs, config.batch_size, config.crop, random)
        terms = training.step(batch)
        done = step + 1
        if done % STEPS_BETWEEN_REPORTS == 0 or step == first:
            seconds = (time.monotonic() - started) / (done - first)
            print(_progress(done, config, terms, seconds), flush=True)
        if done % STEPS_BETWEEN_STATES == 0 or done == config.steps:
            save_state(output / "state.pt", done, training.parts)
        if done % STEPS_BETWEEN_SHEETS == 0 or done == config.steps:
            path, exported = output / f"samples_{done:06}.jpg", export(config, pairs, training)
            write_sheet(path, exported, scenes)
            print(f"wrote {path}", flush=True)
            if done % STEPS_BETWEEN_WEIGHTS == 0:
                weights = output / f"spade_{done:06}.safetensors"
                save_weights(weights, exported.state_dict(), exported.metadata)
    return export(config, pairs, training)


def label_maps_for_statistics(config: TrainSpadeConfig, pairs: TrainingPairs) -> Iterator[Tensor]:
    """Batches of label maps [N,H,W] of training crops, for the statistics of batch norm."""
    random = Generator().manual_seed(config.seed)
    for _ in range(BATCHES_FOR_STATISTICS):
        yield _draw_batch(pairs, config.batch_size, config.crop, random).labels


def export(config: TrainSpadeConfig, pairs: TrainingPairs, training: Training) -> SpadeGenerator:
    """The averaged generator in evaluation mode, with batch norm statistics of training crops."""
    return training.export(label_maps_for_statistics(config, pairs))


@torch.no_grad()
def write_sheet(path: Path, generator: SpadeGenerator, scenes: Sequence[PairFile]) -> None:
    """Write label map, photo and generated picture of scenes, whole at 256x256, two in a row."""
    device = generator.fc.weight.device
    pictures = []
    for scene in scenes:
        photo, labels = resize_pair(scene.read(), SHEET_SIZE)
        colours = torch.from_numpy(generator.label_space.colourize(labels.numpy()))
        generated = generator(labels[None].to(device))[0].cpu()
        pictures += [colours.permute(2, 0, 1) / 255, photo, (generated + 1) / 2]
    with replacing(path) as unfinished:
        save_image(pictures, unfinished, nrow=3 * SCENES_IN_A_ROW, format="jpeg")


def _draw_batch(pairs: TrainingPairs, count: int, crop: int, random: Generator) -> Batch:
    drawn = [pair.read() for pair in draw(pairs.sources, count, random)]
    photos, cropped = crop_pairs(drawn, crop, random)
    labels = torch.stack([pairs.borrowing.relabel(label_map, random) for label_map in cropped])
    seeds = torch.randint(2**62, (count,), generator=random)
    return Batch(photos, labels, seeds, Recolouring.draw(count, random))


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
