import copy
from dataclasses import replace
from multiprocessing import active_children
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Generator, nn

from spadepis.checkpoints.errors import CheckpointError
from spadepis.configuration import ConfigurationError, parse_settings
from spadepis.labels import ADE20K, COCO_STUFF, LabelSpace
from spadepis.spade import SpadeGenerator
from spadepis.training.averaging import average_generators
from spadepis.training.batches import Batch
from spadepis.training.config import TrainSpadeConfig
from spadepis.training.discriminator import Discriminator
from spadepis.training.efficientnet import FrozenFeatures
from spadepis.training.packing import unpack, write_pack
from spadepis.training.photos import is_held_out
from spadepis.training.recolouring import Recolouring
from spadepis.training.runs import start_from
from spadepis.training.spade import Prepared, Training, initialize
from spadepis.training.spade_run import train_spade
from spadepis.training.training_pairs import PairFolders, TrainingPairs, read_training_pairs
from spadepis.training.training_state import load_state, save_state, save_weights


@pytest.fixture
def make_pairs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> PairFolders:
    """Two classes, one black and one white, in five pairs of which one is held out."""
    random = np.random.default_rng(0)
    names = [str(number) for number in range(100)]
    held_out = [name for name in names if is_held_out(name)][:1]
    for name in [name for name in names if not is_held_out(name)][:4] + held_out:
        labels = np.zeros((80, 80), np.uint8)
        labels[:, random.integers(20, 60) :] = 1
        Image.fromarray(labels).save(tmp_path / f"{name}.png")
        Image.fromarray(labels * 255).convert("RGB").save(tmp_path / f"{name}.jpg")
    # These trainings are shorter than the usual memory of the average, and their crops all alike.
    monkeypatch.setattr("spadepis.training.spade.AVERAGE_DECAY", 0.9)
    monkeypatch.setattr("spadepis.training.spade_run.CROPS_FOR_STATISTICS", 100)
    return PairFolders(tmp_path, tmp_path)


def read(folders: PairFolders, space: LabelSpace) -> TrainingPairs:
    return read_training_pairs([folders], [], space)


def training(
    space: LabelSpace, features: FrozenFeatures, pairs: TrainingPairs, steps: int
) -> Training:
    torch.manual_seed(0)
    generator = SpadeGenerator(space, 4, 8, "reflect", noise=True, frame="filled")
    initialize(generator)
    discriminator = Discriminator(features.widths, space.num_classes, 8)
    weights = pairs.class_weights
    # Each calibrates features of its own.
    own = copy.deepcopy(features)
    return Training(generator, discriminator, own, weights, steps, 2e-3, False, 2)


def config(steps: int, output: Path) -> TrainSpadeConfig:
    return TrainSpadeConfig(output=output, steps=steps, batch_size=4, crop=32)


@pytest.mark.parametrize("space", [COCO_STUFF, ADE20K])
def test_training_learns_the_colour_of_a_class(
    space: LabelSpace, features: FrozenFeatures, make_pairs: PairFolders, tmp_path: Path
) -> None:
    pairs, output = read(make_pairs, space), tmp_path / "out"
    trained = train_spade(config(100, output), pairs, training(space, features, pairs, 100))
    path = tmp_path / "spade.safetensors"
    save_weights(path, trained.state_dict(), trained.metadata)
    generator = SpadeGenerator.from_checkpoint(path, space)
    assert generator.metadata == {"padding": "reflect", "unlabelled_frame": "filled"}
    # Of the size of the crops, which the statistics of batch norm are those of.
    labels = torch.zeros(1, 32, 32, dtype=torch.int64)
    labels[:, :, 16:] = 1
    picture = generator(labels)[0]
    assert picture[:, :, 20:].mean() - picture[:, :, :12].mean() > 0.3
    assert not torch.equal(picture, generator(labels, seeds=torch.tensor([1]))[0])
    with Image.open(output / "samples_000100.jpg") as sheet:
        # Label map, photo and generated picture of the held-out pair.
        assert sheet.width > 3 * 256


def test_a_resumed_training_ends_as_one_that_was_not_stopped(
    features: FrozenFeatures,
    make_pairs: PairFolders,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("spadepis.training.spade_run.SECONDS_BETWEEN_STATES", 0)
    pairs = read(make_pairs, COCO_STUFF)
    whole = train_spade(
        config(5, tmp_path / "whole"), pairs, training(COCO_STUFF, features, pairs, 5)
    )
    stopped = training(COCO_STUFF, features, pairs, 5)

    def stop_at_the_fifth(batch: Prepared) -> dict[str, float]:
        if stopped.done == 4:
            raise KeyboardInterrupt
        return step(batch)

    step = stopped.step
    monkeypatch.setattr(stopped, "step", stop_at_the_fifth)
    with pytest.raises(KeyboardInterrupt):
        train_spade(config(5, tmp_path / "stopped"), pairs, stopped)
    assert torch.load(tmp_path / "stopped/state.pt", weights_only=True)["step"] == 4
    resumed = train_spade(
        config(5, tmp_path / "stopped"), pairs, training(COCO_STUFF, features, pairs, 5)
    )
    for key, value in whole.state_dict().items():
        torch.testing.assert_close(resumed.state_dict()[key], value, msg=key)


def test_readers_end_with_a_training_that_fails(
    features: FrozenFeatures,
    make_pairs: PairFolders,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pairs = read(make_pairs, COCO_STUFF)
    failing = training(COCO_STUFF, features, pairs, 5)
    monkeypatch.setattr(failing, "step", lambda _: 1 / 0)
    settings = config(5, tmp_path / "out").model_copy(update={"readers": 1})
    # The traceback, which Python shows in the end, holds what the readers belong to.
    with pytest.raises(ZeroDivisionError) as caught:
        train_spade(settings, pairs, failing)
    assert caught.tb is not None and not active_children()


@pytest.mark.parametrize("content", [b"", b"PK\3\4", b"x" * 100])
def test_a_state_that_cannot_be_resumed_is_named(content: bytes, tmp_path: Path) -> None:
    path, layer = tmp_path / "state.pt", nn.Linear(2, 2)
    path.write_bytes(content)
    with pytest.raises(ConfigurationError, match=r"state.pt cannot be resumed: .*\. Give another"):
        load_state(path, {"layer": layer}, {})
    save_state(path, 3, {"layer": layer}, {})
    assert load_state(path, {"layer": layer}, {"padding": "zeros"}) == 3
    for parts in ({"layer": nn.Linear(2, 3)}, {"other": layer}):
        with pytest.raises(ConfigurationError, match=r"state.pt cannot be resumed") as caught:
            load_state(path, parts, {})
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("setting", "value"),
    [("padding", "zeros"), ("seed", 1), ("learning_rate", 1.0), ("label_space", "own.yaml")],
)
def test_a_run_of_other_settings_is_not_resumed(
    setting: str, value: object, features: FrozenFeatures, make_pairs: PairFolders, tmp_path: Path
) -> None:
    pairs = read(make_pairs, COCO_STUFF)
    before = config(3, tmp_path / "out")
    parts = training(COCO_STUFF, features, pairs, 3).parts
    save_state(before.output / "state.pt", 1, parts, before.kept_settings)
    after = before.model_copy(update={setting: value})
    with pytest.raises(ConfigurationError, match=f"{setting.replace('_', ' ')} was .*, and is"):
        train_spade(after, pairs, training(COCO_STUFF, features, pairs, 3))


def test_progress_is_printed_from_the_first_step(
    features: FrozenFeatures,
    make_pairs: PairFolders,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    pairs = read(make_pairs, COCO_STUFF)
    train_spade(config(3, tmp_path / "out"), pairs, training(COCO_STUFF, features, pairs, 3))
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"step 0 of 3; state and samples in {tmp_path / 'out'}"
    assert lines[1].startswith("step 1 of 3  discriminator_hinge ")
    assert "images/s" in lines[1] and lines[1].endswith("h left")


def test_warm_up_leaves_the_generator_as_it_is(
    features: FrozenFeatures, make_pairs: PairFolders
) -> None:
    pairs = read(make_pairs, COCO_STUFF)
    networks = training(COCO_STUFF, features, pairs, 9)
    batch = Batch(
        torch.rand(2, 3, 32, 32),
        torch.zeros(2, 32, 32, dtype=torch.int64),
        torch.arange(2),
        Recolouring.draw(2, Generator().manual_seed(0)),
    )
    weights = {key: value.clone() for key, value in networks.generator.named_parameters()}
    judging = networks.discriminator.classify.weight.clone()
    networks.step(networks.upload(networks.prepare(batch)))
    assert not torch.equal(networks.discriminator.classify.weight, judging)
    assert all(torch.equal(value, weights[k]) for k, value in networks.generator.named_parameters())
    networks.resume(2)
    terms = networks.step(networks.upload(networks.prepare(batch)))
    assert not torch.equal(networks.generator.conv_img.weight, weights["conv_img.weight"])
    assert {"hinge", "classes", "perceptual", "matching", "spectra"} < set(terms)


def test_class_weights_and_noise_have_learning_rates_of_their_own(
    features: FrozenFeatures, make_pairs: PairFolders
) -> None:
    networks = training(COCO_STUFF, features, read(make_pairs, COCO_STUFF), 9)
    rates = {
        id(parameter): group["initial_lr"]
        for group in networks.generator_optimizer.param_groups
        for parameter in group["params"]
    }
    by_name = {name: rates[id(value)] for name, value in networks.generator.named_parameters()}
    assert by_name["conv_img.weight"] == by_name["head_0.norm_0.mlp_gamma.weight"] == 2e-3
    assert by_name["head_0.norm_0.mlp_shared.0.weight"] == 4e-3
    assert by_name["head_0.noise_strength"] == 1e-2


def test_noise_does_not_grow_without_end(features: FrozenFeatures, make_pairs: PairFolders) -> None:
    networks = training(COCO_STUFF, features, read(make_pairs, COCO_STUFF), 9)
    strength = networks.generator.up_2.noise_strength
    variance = networks.generator.up_2.norm_0.param_free_norm.running_var
    assert strength is not None and variance is not None
    nn.init.constant_(strength, 1.2)
    labels = torch.zeros(2, 32, 32, dtype=torch.int64)
    recolouring = Recolouring.draw(2, Generator().manual_seed(0))
    batch = Batch(torch.rand(2, 3, 32, 32), labels, torch.arange(2), recolouring)
    networks.resume(2)
    networks.step(networks.upload(networks.prepare(batch)))
    with torch.no_grad():
        for _ in range(300):
            networks.generator(labels, seeds=batch.seeds)
    assert variance.max() < 100


def test_starts_from_a_published_checkpoint(spade_checkpoint: str) -> None:
    published = SpadeGenerator.from_checkpoint(spade_checkpoint, COCO_STUFF)
    generator = SpadeGenerator(COCO_STUFF, 2, 128, padding="reflect", noise=True)
    initialize(generator)
    start_from(generator, spade_checkpoint)
    for key, value in published.state_dict().items():
        assert torch.equal(generator.state_dict()[key], value), key
    strength = generator.up_3.noise_strength
    assert strength is not None and (strength > 0).all()
    with pytest.raises(CheckpointError, match="cannot be trained on: fc.weight has shape"):
        start_from(SpadeGenerator(ADE20K, 2, 128), spade_checkpoint)


def test_the_average_has_the_mean_of_the_weights_and_its_own_statistics(tmp_path: Path) -> None:
    paths = [str(tmp_path / f"{number}.safetensors") for number in range(2)]
    for number, path in enumerate(paths):
        torch.manual_seed(number)
        generator = SpadeGenerator(COCO_STUFF, 2, 4, "reflect", noise=True)
        initialize(generator)
        save_weights(Path(path), generator.state_dict(), generator.metadata)
    batches = [(torch.randint(0, 183, (2, 64, 64)), torch.arange(2)) for _ in range(3)]
    average = average_generators(paths, COCO_STUFF, batches, bfloat16=False)
    first, second = (SpadeGenerator.from_checkpoint(path, COCO_STUFF) for path in paths)
    mean = (first.conv_img.weight + second.conv_img.weight) / 2
    torch.testing.assert_close(average.conv_img.weight, mean)
    norm = average.up_3.norm_0.param_free_norm
    assert norm.running_mean is not None and norm.running_mean.abs().max() > 0
    assert average.metadata == {"padding": "reflect"} and not average.training
    other = tmp_path / "other.safetensors"
    save_weights(other, generator.state_dict(), {})
    with pytest.raises(CheckpointError, match="cannot be averaged"):
        average_generators([paths[0], str(other)], COCO_STUFF, batches, bfloat16=False)


def test_a_pack_is_small_and_can_be_trained_on(
    features: FrozenFeatures, make_pairs: PairFolders, tmp_path: Path
) -> None:
    data = make_pairs.photos.parent
    pairs = read(make_pairs, COCO_STUFF)
    held_out = [pair for source in pairs.held_out for pair in source][:2]
    path, folder = tmp_path / "pack.zip", tmp_path / "unpacked"
    packed = write_pack(path, data, pairs, held_out, features.state_dict(), megabytes=1)
    assert packed == len(pairs.sources[0].items) and path.stat().st_size < 10**6
    unpack(path, folder)
    moved = folder / make_pairs.photos.name
    again = read(PairFolders(moved, moved), COCO_STUFF)
    assert [p.id for p in again.sources[0].items] == [p.id for p in pairs.sources[0].items]
    original, copied = (each.sources[0].items[0].read() for each in (pairs, again))
    assert torch.equal(original.labels, copied.labels)
    assert (original.photo.float() - copied.photo.float()).abs().mean() < 4


def test_what_does_not_fit_into_a_pack_is_left_out(
    features: FrozenFeatures,
    make_pairs: PairFolders,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pairs = read(make_pairs, COCO_STUFF)
    path, data = tmp_path / "pack.zip", make_pairs.photos.parent
    whole = write_pack(path, data, pairs, [], features.state_dict(), megabytes=1)
    limit = path.stat().st_size - 1
    monkeypatch.setattr("spadepis.training.packing.MEGABYTE", limit)
    packed = write_pack(path, data, pairs, [], features.state_dict(), megabytes=1)
    assert 0 < packed < whole and path.stat().st_size <= limit


def test_a_pack_without_space_for_a_pair_is_not_written(
    features: FrozenFeatures,
    make_pairs: PairFolders,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("spadepis.training.packing.MEGABYTE", 1000)
    pairs, path = read(make_pairs, COCO_STUFF), tmp_path / "pack.zip"
    with pytest.raises(ConfigurationError, match="--pack 1: too few megabytes"):
        write_pack(path, make_pairs.photos.parent, pairs, [], features.state_dict(), megabytes=1)
    assert not path.exists()


def test_a_pack_rather_has_rare_classes(
    features: FrozenFeatures, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [name for name in map(str, range(80)) if not is_held_out(name)]
    random = np.random.default_rng(0)
    for number, name in enumerate(names):
        # Six pairs show classes of their own.
        labels = np.full((32, 32), 10 + number if number < 6 else 0, np.uint8)
        Image.fromarray(labels).save(tmp_path / f"{name}.png")
        photo = random.integers(0, 256, (32, 32, 3), dtype=np.uint8)
        Image.fromarray(photo).save(tmp_path / f"{name}.jpg")
    pairs = read(PairFolders(tmp_path, tmp_path), COCO_STUFF)
    path, folder = tmp_path / "pack.zip", tmp_path / "unpacked"
    write_pack(path, tmp_path.parent, pairs, [], features.state_dict(), megabytes=1)
    monkeypatch.setattr("spadepis.training.packing.MEGABYTE", path.stat().st_size // 2)
    packed = write_pack(path, tmp_path.parent, pairs, [], features.state_dict(), megabytes=1)
    assert packed < len(names) * 0.7
    unpack(path, folder)
    left = {photo.stem for photo in folder.rglob("*.webp")}
    assert len(left & set(names[:6])) >= 5


def test_the_discriminator_looks_at_the_labels_at_every_level(features: FrozenFeatures) -> None:
    torch.manual_seed(0)
    discriminator = Discriminator(features.widths, COCO_STUFF.num_classes, 8).eval()
    levels = features(torch.rand(2, 3, 64, 64) * 2 - 1)
    sky, road = (torch.full((2, 64, 64), index) for index in (156, 148))
    of_sky, of_road = discriminator(levels, sky), discriminator(levels, road)
    sides = [scores.shape[1] for scores in of_sky.scores]
    assert sides == [32, 16, 8, 4]
    for ours, theirs in zip(of_sky.scores, of_road.scores, strict=True):
        assert not torch.allclose(ours, theirs)
    assert of_sky.classes.shape == (2, COCO_STUFF.num_classes + 1, 32, 32)
    first, second = of_sky.split(1)
    torch.testing.assert_close(torch.cat([first.classes, second.classes]), of_sky.classes)


def test_a_training_without_held_out_pairs_writes_no_sheet(
    features: FrozenFeatures, make_pairs: PairFolders, tmp_path: Path
) -> None:
    pairs, output = read(make_pairs, COCO_STUFF), tmp_path / "out"
    none_shown = replace(pairs, held_out=[])
    train_spade(config(3, output), none_shown, training(COCO_STUFF, features, pairs, 3))
    assert [path.name for path in output.iterdir()] == ["state.pt"]


def test_a_device_that_is_not_there_is_refused_before_anything_is_read() -> None:
    for device in ("cuda:99", "tpu"):
        with pytest.raises(ConfigurationError, match=f"--device {device}: ") as caught:
            parse_settings(TrainSpadeConfig, ["--output=o", f"--device={device}"])
        assert "\n" not in str(caught.value)
