"""The jobs that train the small models, from configuration to weights."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor

from spadepis.checkpoints.errors import CheckpointError
from spadepis.checkpoints.reading import read_state_dict
from spadepis.checkpoints.writing import halve_matrices, write_weights
from spadepis.cli.exit_status import exit_status
from spadepis.configuration import Settings, parse_settings
from spadepis.spade import SpadeGenerator
from spadepis.spade.spectral_norm import fold_spectral_norm
from spadepis.training.config import TrainingConfig, TrainPhotoWCTConfig, TrainSpadeConfig
from spadepis.training.discriminator import Discriminator
from spadepis.training.efficientnet import FrozenFeatures
from spadepis.training.perceptual import perceptual_network
from spadepis.training.photos import list_photos, split_photos
from spadepis.training.photowct import train_photowct
from spadepis.training.sources import Source
from spadepis.training.spade import Training, initialize
from spadepis.training.spade_run import train_spade
from spadepis.training.training_pairs import read_training_pairs


def run_job(
    settings: type[Settings], job: Callable[[Settings], None], arguments: Sequence[str]
) -> int:
    """Parse the flags of a job, run it, and return the exit status."""

    def work() -> int:
        job(parse_settings(settings, arguments))
        return 0

    return exit_status(work, resumes=True)


def train_photowct_job(config: TrainPhotoWCTConfig) -> None:
    """Train a PhotoWCT and write ``photowct.safetensors`` into the output folder."""
    _set_threads(config)
    training, held_out = [], []
    for photos in _photos_by_source(config):
        kept, kept_out = split_photos(photos)
        training.append(Source.of_equals(kept))
        held_out += kept_out
    weights = train_photowct(
        config, training, held_out, perceptual_network(config.perceptual_weights)
    )
    save_weights(config.output / "photowct.safetensors", weights, {})


def train_spade_job(config: TrainSpadeConfig) -> None:
    """Train a SPADE generator and write ``spade.safetensors`` into the output folder."""
    _set_threads(config)
    torch.manual_seed(config.seed)
    print(f"reading the label maps; output in {config.output}", flush=True)
    space, device = config.space, torch.device(config.device)
    folders = config.folders(config.pairs), config.folders(config.held_out)
    pairs = read_training_pairs(*folders, space)
    widths = config.base_width, config.hidden_width
    generator = SpadeGenerator(space, *widths, config.padding, config.noise, config.frame)
    initialize(generator)
    if config.initial_checkpoint is not None:
        start_from(generator, config.initial_checkpoint)
    features = FrozenFeatures.from_package()
    discriminator = Discriminator(features.widths, space.num_classes, config.discriminator_width)
    training = Training(
        generator.to(device).to(memory_format=torch.channels_last),
        discriminator.to(device),
        features.to(device),
        pairs.class_weights.to(device),
        config.steps,
        config.learning_rate,
        config.bfloat16,
    )
    trained = train_spade(config, pairs, training)
    path = config.output / "spade.safetensors"
    save_weights(path, trained.state_dict(), trained.metadata)
    print(f"wrote {path}")


def start_from(generator: SpadeGenerator, uri: str) -> None:
    """Give a generator the weights of a checkpoint; those that it lacks stay as they are.

    Raises:
        CheckpointError: the checkpoint cannot be read or is of another width or label space.
    """
    weights = fold_spectral_norm(read_state_dict(uri))
    shapes = {key: tensor.shape for key, tensor in generator.state_dict().items()}
    for key, tensor in weights.items():
        if shapes.get(key) != tensor.shape:
            raise CheckpointError(
                f"checkpoint {uri} cannot be trained on: {key} has shape {list(tensor.shape)}, "
                f"and the generator's is {list(shapes.get(key, ()))}"
            )
    generator.load_state_dict(weights, strict=False)


def save_weights(path: Path, weights: Mapping[str, Tensor], metadata: Mapping[str, str]) -> None:
    """Write the weights that inference uses as safetensors, matrices in float16."""
    used = {k: v.cpu() for k, v in weights.items() if not k.endswith("num_batches_tracked")}
    write_weights(path, halve_matrices(used), metadata)


def _photos_by_source(config: TrainPhotoWCTConfig) -> list[list[Path]]:
    """The photos of folders, and those of pairs."""
    pairs = config.folders(config.pairs)
    return [
        *(list_photos(config.data / folder) for folder in config.photos),
        *(list_photos(folders.photos) for folders in pairs),
    ]


def _set_threads(config: TrainingConfig) -> None:
    if config.threads is not None:
        torch.set_num_threads(config.threads)
