from pathlib import Path

import pytest
import safetensors.torch
import torch

from spadepis.labels import ADE20K, COCO_STUFF, LabelSpace
from spadepis.spade import SpadeGenerator
from spadepis.training.discriminator import (
    Discriminator,
    discriminator_hinge_loss,
    feature_matching_loss,
    generator_hinge_loss,
)
from spadepis.training.perceptual import PerceptualNetwork
from spadepis.training.photos import Pair, Split
from spadepis.training.spade import Schedule, Training, train_spade


def pairs() -> Split[Pair]:
    """Two classes, one black and one white."""
    random = torch.Generator().manual_seed(0)
    made = []
    for _ in range(6):
        labels = torch.zeros(80, 80, dtype=torch.uint8)
        column = int(torch.randint(20, 60, (), generator=random))
        labels[:, column:] = 1
        made.append(Pair((labels * 255).expand(3, 80, 80).contiguous(), labels))
    return Split([made], [made[:1]])


def schedule(steps: int, fine_tuning_steps: int = 0) -> Schedule:
    return Schedule(
        steps=steps,
        batch_size=4,
        crop=32,
        fine_tuning_steps=fine_tuning_steps,
        generator_learning_rate=1e-3,
        discriminator_learning_rate=2e-4,
    )


def training(space: LabelSpace, perceptual: PerceptualNetwork) -> Training:
    torch.manual_seed(0)
    return Training(SpadeGenerator(space, 4, 8), Discriminator(space, 4), perceptual, False)


@pytest.mark.parametrize("space", [COCO_STUFF, ADE20K])
def test_training_learns_the_colour_of_a_class(
    space: LabelSpace, perceptual: PerceptualNetwork, tmp_path: Path
) -> None:
    weights = train_spade(pairs(), training(space, perceptual), schedule(60), tmp_path, seed=0)
    path = tmp_path / "spade.safetensors"
    safetensors.torch.save_file(weights, path)
    generator = SpadeGenerator.from_checkpoint(path, space)
    labels = torch.zeros(1, 64, 64, dtype=torch.int64)
    labels[:, :, 32:] = 1
    picture = generator(labels)[0]
    assert picture[:, :, 40:].mean() - picture[:, :, :24].mean() > 0.5
    assert (tmp_path / "samples.jpg").exists()


def test_a_stopped_training_goes_on(perceptual: PerceptualNetwork, tmp_path: Path) -> None:
    train_spade(pairs(), training(COCO_STUFF, perceptual), schedule(3), tmp_path, seed=0)
    state = torch.load(tmp_path / "state.pt", weights_only=True)
    assert state["step"] == 3
    resumed = training(COCO_STUFF, perceptual)
    train_spade(pairs(), resumed, schedule(5), tmp_path, seed=0)
    assert torch.load(tmp_path / "state.pt", weights_only=True)["step"] == 5
    # Five steps of Adam in all, the first three from the file.
    moments = resumed.generator_optimizer.state_dict()["state"]
    assert {int(moment["step"]) for moment in moments.values()} == {5}


def test_the_last_steps_see_larger_crops() -> None:
    plan = schedule(10, fine_tuning_steps=3)
    assert [plan.batch_at(step) for step in (0, 6, 7, 9)] == [(4, 32), (4, 32), (2, 64), (2, 64)]
    rates = [plan.learning_rates_at(step)[0] for step in range(10)]
    assert rates[0] == 1e-3 and rates == sorted(rates, reverse=True) and rates[-1] > 0


def test_hinge_losses() -> None:
    def scores(value: float) -> list[list[torch.Tensor]]:
        return [[torch.zeros(1), torch.full((1, 1, 2, 2), value)] for _ in range(2)]

    assert float(generator_hinge_loss(scores(0.5))) == -0.5
    assert float(discriminator_hinge_loss(scores(-2.0), scores(2.0))) == 0
    assert float(discriminator_hinge_loss(scores(0.5), scores(-0.5))) == 3


def test_features_are_matched_without_the_logits() -> None:
    ours = [[torch.zeros(2), torch.ones(2), torch.full((2,), 9.0)]]
    theirs = [[torch.ones(2), torch.full((2,), 4.0), torch.zeros(2)]]
    assert float(feature_matching_loss(ours, theirs)) == 1 + 3


def test_the_discriminator_looks_at_the_labels() -> None:
    torch.manual_seed(0)
    discriminator = Discriminator(COCO_STUFF, 4).eval()
    images, edges = torch.rand(1, 3, 64, 64), torch.zeros(1, 64, 64, dtype=torch.bool)
    sky, road = (torch.full((1, 64, 64), index) for index in (156, 148))
    of_sky, of_road = (discriminator(images, labels, edges) for labels in (sky, road))
    assert len(of_sky) == 2
    assert of_sky[1][-1].shape[-1] < of_sky[0][-1].shape[-1]
    assert not torch.allclose(of_sky[0][-1], of_road[0][-1])
