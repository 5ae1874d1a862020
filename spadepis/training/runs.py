"""The jobs that train the small models, from configuration to weights."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import safetensors.torch
import torch
from torch import Tensor

from spadepis.cli.exit_status import exit_status
from spadepis.configuration import Settings, parse_settings
from spadepis.spade import SpadeGenerator
from spadepis.training.config import DataConfig, TrainPhotoWCTConfig, TrainSpadeConfig
from spadepis.training.discriminator import Discriminator
from spadepis.training.perceptual import PerceptualNetwork, perceptual_network
from spadepis.training.photos import Split, read_photos
from spadepis.training.photowct import train_photowct
from spadepis.training.spade import Schedule, Training, train_spade


def run_job(
    settings: type[Settings], job: Callable[[Settings], None], arguments: Sequence[str]
) -> int:
    """Parse the flags of a job, run it, and return the exit status."""

    def work() -> int:
        job(parse_settings(settings, arguments))
        return 0

    return exit_status(work)


def train_photowct_job(config: TrainPhotoWCTConfig) -> None:
    """Train a PhotoWCT and write ``photowct.safetensors`` into the output folder."""
    perceptual = prepare(config)
    config.output.mkdir(parents=True, exist_ok=True)
    weights = train_photowct(
        all_photos(config, config.photos),
        perceptual,
        config.output,
        widths=config.widths,
        steps=config.steps,
        batch_size=config.batch_size,
        crop=config.crop,
        learning_rate=config.learning_rate,
        device=torch.device(config.device),
        bfloat16=config.bfloat16,
        seed=config.seed,
    )
    save_weights(config.output / "photowct.safetensors", weights)


def train_spade_job(config: TrainSpadeConfig) -> None:
    """Train a SPADE generator and write ``spade.safetensors`` into the output folder."""
    perceptual = prepare(config)
    config.output.mkdir(parents=True, exist_ok=True)
    device = torch.device(config.device)
    torch.manual_seed(config.seed)
    generator = SpadeGenerator(config.space, config.base_width, config.hidden_width)
    discriminator = Discriminator(config.space, config.discriminator_width)
    training = Training(
        generator.to(device).to(memory_format=torch.channels_last),
        discriminator.to(device).to(memory_format=torch.channels_last),
        perceptual.to(device),
        config.bfloat16,
    )
    schedule = Schedule(
        steps=config.steps,
        batch_size=config.batch_size,
        crop=config.crop,
        fine_tuning_steps=config.fine_tuning_steps,
        generator_learning_rate=config.generator_learning_rate,
        discriminator_learning_rate=config.discriminator_learning_rate,
    )
    weights = train_spade(config.read_pairs(), training, schedule, config.output, config.seed)
    save_weights(config.output / "spade.safetensors", weights)


def prepare(config: DataConfig) -> PerceptualNetwork:
    """Set PyTorch up for a job and read the network that compares pictures."""
    if config.threads is not None:
        torch.set_num_threads(config.threads)
    return perceptual_network(config.perceptual_weights)


def all_photos(config: DataConfig, folders: Sequence[Path]) -> Split[Tensor]:
    """The photos of folders and of pairs, by source."""
    pairs = config.read_pairs()
    splits = [read_photos(config.data / folder) for folder in folders]
    return Split(
        training=[
            *(source for split in splits for source in split.training),
            *([pair.photo for pair in source] for source in pairs.training),
        ],
        held_out=[
            *(source for split in splits for source in split.held_out),
            *([pair.photo for pair in source] for source in pairs.held_out),
        ],
    )


def save_weights(path: Path, weights: Mapping[str, Tensor]) -> None:
    """Write weights as safetensors: matrices in float16, vectors, which are few, in float32."""
    halved = {
        key: tensor.half() if tensor.ndim > 1 else tensor.float()
        for key, tensor in weights.items()
        if not key.endswith("num_batches_tracked")
    }
    safetensors.torch.save_file(halved, path)
