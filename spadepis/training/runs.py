"""The jobs that train the small models, from configuration to weights."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import torch

from spadepis.checkpoints.errors import CheckpointError
from spadepis.checkpoints.reading import read_state_dict
from spadepis.cli.exit_status import exit_status
from spadepis.configuration import ConfigurationError, Settings, parse_settings
from spadepis.dataset.inputs.image_files import UnreadableImageError
from spadepis.spade import SpadeGenerator
from spadepis.spade.spectral_norm import fold_spectral_norm
from spadepis.training.averaging import average_generators
from spadepis.training.config import TrainingConfig, TrainPhotoWCTConfig, TrainSpadeConfig
from spadepis.training.discriminator import Discriminator
from spadepis.training.efficientnet import FrozenFeatures
from spadepis.training.packing import FEATURE_WEIGHTS, unpack, write_pack
from spadepis.training.perceptual import perceptual_network
from spadepis.training.photos import list_photos, split_photos
from spadepis.training.photowct import train_photowct
from spadepis.training.sources import Source
from spadepis.training.spade import Training, initialize
from spadepis.training.spade_run import batches_for_statistics, scenes_of_sheet, train_spade
from spadepis.training.training_pairs import TrainingPairs, read_training_pairs
from spadepis.training.training_state import make_output, save_weights


def run_job(
    settings: type[Settings],
    job: Callable[[Settings], None],
    arguments: Sequence[str],
    resumes: bool = True,
) -> int:
    """Parse the flags of a job, run it, and return the exit status.

    Args:
        settings: class of the settings.
        job: what is run.
        arguments: the flags.
        resumes: whether the job resumes when it is started again.
    """

    def work() -> int:
        try:
            job(parse_settings(settings, arguments))
        except UnreadableImageError as error:
            # The same command would meet the file again.
            raise ConfigurationError(str(error)) from error
        return 0

    return exit_status(work, resumes)


def train_photowct_job(config: TrainPhotoWCTConfig) -> None:
    """Train a PhotoWCT and write ``photowct.safetensors`` into the output folder.

    Raises:
        ConfigurationError: there are no photos in one of the sources, or no sources.
    """
    _set_threads(config)
    sources = _photos_by_source(config)
    if not sources:
        raise ConfigurationError("nothing to train on: give folders with --photos or --pairs")
    training, held_out = [], []
    for folder, photos in sources:
        kept, kept_out = split_photos(photos)
        if not kept:
            raise ConfigurationError(f"nothing to train on: all photos of {folder} are held out")
        training.append(Source.of_equals(kept))
        held_out += kept_out
    perceptual = perceptual_network(config.perceptual_weights)
    make_output(config.output)
    cascade = train_photowct(config, training, held_out, perceptual)
    path = config.output / "photowct.safetensors"
    save_weights(path, cascade.export(), cascade.metadata)
    print(f"wrote {path}")


def train_spade_job(config: TrainSpadeConfig) -> None:
    """Train a SPADE generator and write ``spade.safetensors`` into the output folder."""
    _set_threads(config)
    torch.manual_seed(config.seed)
    print(f"reading the label maps; output in {config.output}", flush=True)
    space, device = config.space, torch.device(config.device)
    if config.data.suffix == ".zip":
        unpacked = config.output / "data"
        unpack(config.data, unpacked)
        config = config.model_copy(update={"data": unpacked})
        # Of these it has the pairs of the sheets alone, which may be none.
        held_out = [each for each in config.folders(config.held_out) if each.labels.exists()]
    else:
        held_out = config.folders(config.held_out)
    pairs = read_training_pairs(
        config.folders(config.pairs), held_out, space, config.label_grid, config.label_scaling
    )
    make_output(config.output)
    if config.average:
        maps = batches_for_statistics(config, pairs)
        _save(config, average_generators(config.average, space, maps, config.bfloat16))
        return
    packed = config.data / FEATURE_WEIGHTS
    features = (
        FrozenFeatures.from_file(packed) if packed.exists() else FrozenFeatures.from_package()
    )
    if config.pack is not None:
        _pack(config, pairs, features)
        return
    generator = SpadeGenerator(
        space,
        config.base_width,
        config.hidden_width,
        config.padding,
        config.noise,
        config.frame,
        config.label_padding,
    )
    initialize(generator)
    if config.initial_checkpoint is not None:
        start_from(generator, config.initial_checkpoint)
    discriminator = Discriminator(features.widths, space.num_classes, config.discriminator_width)
    training = Training(
        generator.to(device).to(memory_format=torch.channels_last),
        discriminator.to(device),
        features.to(device),
        pairs.class_weights.to(device),
        config.steps,
        config.learning_rate,
        config.bfloat16,
        config.warm_up_steps,
    )
    _save(config, train_spade(config, pairs, training))


def _save(config: TrainSpadeConfig, generator: SpadeGenerator) -> None:
    path = config.output / "spade.safetensors"
    save_weights(path, generator.state_dict(), generator.metadata)
    print(f"wrote {path}")


def _pack(config: TrainSpadeConfig, pairs: TrainingPairs, features: FrozenFeatures) -> None:
    path = config.output / "pack.zip"
    shown = scenes_of_sheet(pairs.held_out)
    assert config.pack is not None
    count = write_pack(path, config.data, pairs, shown, features.state_dict(), config.pack)
    print(f"wrote {path}: {count} pairs to train on, {path.stat().st_size / 1e6:.1f} MB")


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


def _photos_by_source(config: TrainPhotoWCTConfig) -> list[tuple[Path, list[Path]]]:
    """Each folder of photos or of pairs, and its photos."""
    folders = [config.data / folder for folder in config.photos]
    pairs = config.folders(config.pairs)
    return [
        *((folder, list_photos(folder)) for folder in folders),
        *((each.photos, list_photos(each.photos, each.labels)) for each in pairs),
    ]


def _set_threads(config: TrainingConfig) -> None:
    if config.threads is not None:
        torch.set_num_threads(config.threads)
