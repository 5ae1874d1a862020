"""Training the SPADE generator against a multi-scale patch discriminator."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm
from torch.nn.utils.parametrize import remove_parametrizations
from torch.optim.swa_utils import AveragedModel, update_bn
from torchvision.utils import save_image

from spadepis.labels import LabelSpace, instance_edges
from spadepis.spade import SpadeGenerator
from spadepis.training.crops import crop_pairs, draw
from spadepis.training.descent import descend, half_cosine
from spadepis.training.discriminator import (
    Discriminator,
    discriminator_hinge_loss,
    feature_matching_loss,
    generator_hinge_loss,
)
from spadepis.training.perceptual import PerceptualNetwork, perceptual_distance
from spadepis.training.photos import Pair, Split
from spadepis.training.training_state import Stateful, load_state, save_state

log = logging.getLogger(__name__)

# As in the paper.
FEATURE_MATCHING_WEIGHT = 10.0
PERCEPTUAL_WEIGHT = 10.0
ADAM_BETAS = (0.0, 0.99)
AVERAGE_DECAY = 0.999
BATCHES_FOR_STATISTICS = 40
STEPS_BETWEEN_REPORTS = 50
STEPS_BETWEEN_SHEETS = 250
PAIRS_ON_SHEET = 8


@dataclass(frozen=True)
class Schedule:
    """How long and on what a generator is trained.

    Attributes:
        steps: in all; the learning rates fall to 0 along half a cosine.
        batch_size: crops in a step.
        crop: side of the crops in pixels, divisible by 32.
        fine_tuning_steps: the last so many steps see crops twice as large, a quarter as many.
        generator_learning_rate: of the generator at the start.
        discriminator_learning_rate: of the discriminator at the start.
    """

    steps: int
    batch_size: int
    crop: int
    fine_tuning_steps: int
    generator_learning_rate: float
    discriminator_learning_rate: float

    def learning_rates_at(self, step: int) -> tuple[float, float]:
        """Of generator and discriminator: half a cosine from the first step to the last."""
        share = half_cosine(step, self.steps)
        return share * self.generator_learning_rate, share * self.discriminator_learning_rate

    def batch_at(self, step: int) -> tuple[int, int]:
        """Number and side of the crops of a step."""
        if step < self.steps - self.fine_tuning_steps:
            return self.batch_size, self.crop
        return max(2, self.batch_size // 4), 2 * self.crop


class Training:
    """The networks of one run, and one step of their training."""

    def __init__(
        self,
        generator: SpadeGenerator,
        discriminator: Discriminator,
        perceptual: PerceptualNetwork,
        bfloat16: bool,
    ) -> None:
        self.space = generator.label_space
        self.generator = with_spectral_norm(generator)
        self.discriminator = discriminator
        self.perceptual = perceptual
        self.bfloat16 = bfloat16
        self.device = next(discriminator.parameters()).device
        self.average = AveragedModel(generator, multi_avg_fn=_average)
        self.generator_optimizer = torch.optim.Adam(
            generator.parameters(), betas=ADAM_BETAS, fused=True
        )
        self.discriminator_optimizer = torch.optim.Adam(
            discriminator.parameters(), betas=ADAM_BETAS, fused=True
        )

    def step(
        self, photos: Tensor, labels: Tensor, learning_rates: tuple[float, float]
    ) -> dict[str, float]:
        """One step of both networks; the terms of their losses.

        Args:
            photos: [N,3,H,W] in [0,1].
            labels: class indices [N,H,W].
            learning_rates: of generator and discriminator.
        """
        photos = photos.to(self.device)
        labels = labels.to(self.device)
        edges = class_edges(labels, self.space)
        real = 2 * photos - 1
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.bfloat16):
            generated = self.generator(labels, edges)
            self.discriminator.requires_grad_(False)
            of_generated = self.discriminator(generated, labels, edges)
            with torch.no_grad():
                of_real = self.discriminator(real, labels, edges)
                targets = self.perceptual(photos)
            terms = {
                "hinge": generator_hinge_loss(of_generated),
                "matching": FEATURE_MATCHING_WEIGHT * feature_matching_loss(of_generated, of_real),
                "perceptual": PERCEPTUAL_WEIGHT
                * perceptual_distance(self.perceptual((generated + 1) / 2), targets),
            }
        sum_of_terms = torch.stack(list(terms.values())).sum()
        descend(self.generator_optimizer, sum_of_terms, learning_rates[0])
        self.average.update_parameters(self.generator)

        self.discriminator.requires_grad_(True)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.bfloat16):
            both = torch.cat([generated.detach(), real])
            maps = labels.repeat(2, 1, 1)
            borders = None if edges is None else edges.repeat(2, 1, 1)
            outputs = self.discriminator(both, maps, borders)
            count = len(photos)
            terms["discriminator"] = discriminator_hinge_loss(
                [[feature[:count] for feature in scale] for scale in outputs],
                [[feature[count:] for feature in scale] for scale in outputs],
            )
        descend(self.discriminator_optimizer, terms["discriminator"], learning_rates[1])
        return {name: float(term.detach()) for name, term in terms.items()}

    @property
    def parts(self) -> dict[str, Stateful]:
        """All that has a state."""
        return {
            "generator": self.generator,
            "average": self.average,
            "discriminator": self.discriminator,
            "generator_optimizer": self.generator_optimizer,
            "discriminator_optimizer": self.discriminator_optimizer,
        }

    def export(self, batches: Iterator[Tensor]) -> dict[str, Tensor]:
        """The state dict of the averaged generator, as ``SpadeGenerator`` has it.

        Spectral norm is folded, and the statistics of batch norm are those of the averaged
        weights on ``batches`` of label maps [N,H,W].
        """
        update_bn(batches, self.average)
        generator = self.average.module
        for module in list(generator.modules()):
            if hasattr(module, "parametrizations"):
                remove_parametrizations(module, "weight")
        state: dict[str, Tensor] = generator.state_dict()
        return {key: tensor.detach().contiguous() for key, tensor in state.items()}


def with_spectral_norm(generator: SpadeGenerator) -> SpadeGenerator:
    """Initialize a generator and put spectral norm on its residual blocks.

    Weights are larger at first than the paper's (gain 1, not 0.02): SPADE learns sooner, which
    counts in a short training.
    """
    for name, module in list(generator.named_modules()):
        if isinstance(module, nn.Conv2d):
            nn.init.xavier_normal_(module.weight)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
            if name.rpartition(".")[2] in ("conv_0", "conv_1", "conv_s"):
                spectral_norm(module)
    return generator


def class_edges(labels: Tensor, space: LabelSpace) -> Tensor | None:
    """The borders between classes, as edges, where the label space has instance edges."""
    if not space.has_instance_edges:
        return None
    return torch.from_numpy(instance_edges(labels.cpu().numpy())).to(labels.device)


def train_spade(
    pairs: Split[Pair],
    training: Training,
    schedule: Schedule,
    output: Path,
    seed: int,
) -> dict[str, Tensor]:
    """Train, writing the state and a sample sheet into ``output`` as it goes.

    Goes on from the state in ``output`` where there is one.

    Returns:
        The state dict of a ``SpadeGenerator``.
    """
    first = load_state(output / "state.pt", training.parts)
    fixed = torch.Generator().manual_seed(seed)
    samples = crop_pairs(draw(pairs.held_out, PAIRS_ON_SHEET, fixed), 2 * schedule.crop, fixed)

    def batch_at(step: int) -> tuple[Tensor, Tensor]:
        # Of the step alone, so that a run that was stopped sees the same crops.
        random = torch.Generator().manual_seed(seed + step)
        count, size = schedule.batch_at(step)
        return crop_pairs(draw(pairs.training, count, random), size, random)

    for step in range(first, schedule.steps):
        terms = training.step(*batch_at(step), schedule.learning_rates_at(step))
        if (step + 1) % STEPS_BETWEEN_REPORTS == 0:
            figures = "  ".join(f"{name} {value:.3f}" for name, value in terms.items())
            log.info("step %d of %d  %s", step + 1, schedule.steps, figures)
        if (step + 1) % STEPS_BETWEEN_SHEETS == 0 or step + 1 == schedule.steps:
            save_state(output / "state.pt", step + 1, training.parts)
            _write_sheet(output / "samples.jpg", training, *samples)
    last = schedule.steps - 1
    batches = (batch_at(last - i)[1] for i in range(BATCHES_FOR_STATISTICS))
    return training.export(batches)


@torch.no_grad()
def _average(averages: Sequence[Tensor], weights: Sequence[Tensor], steps: Tensor | int) -> None:
    """Exponential moving average whose window grows with the first steps."""
    decay = min(AVERAGE_DECAY, float(steps + 1) / float(steps + 10))
    torch._foreach_lerp_(list(averages), list(weights), 1 - decay)


@torch.no_grad()
def _write_sheet(path: Path, training: Training, photos: Tensor, labels: Tensor) -> None:
    """Label maps, photos, and what the averaged generator makes of the maps."""
    colours = torch.from_numpy(training.space.colourize(labels.numpy())).permute(0, 3, 1, 2)
    generated = training.average(labels.to(training.device)).cpu()
    sheet = torch.cat([colours.float() / 255, photos, (generated + 1) / 2])
    save_image(sheet.clamp(0, 1), path, nrow=len(photos))
