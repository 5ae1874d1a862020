"""Training the SPADE generator against a discriminator on frozen ImageNet features."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm
from torch.nn.utils.parametrize import is_parametrized, remove_parametrizations
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from spadepis.spade import SpadeGenerator
from spadepis.spade.semantic_map import SemanticMap
from spadepis.training.batch_norm import measure_statistics
from spadepis.training.batches import Batch
from spadepis.training.descent import descend, half_cosine
from spadepis.training.discriminator import Discriminator
from spadepis.training.efficientnet import FrozenFeatures
from spadepis.training.recolouring import Recolouring
from spadepis.training.spade_losses import (
    discriminator_classification,
    discriminator_hinge,
    feature_difference,
    generator_classification,
    generator_hinge,
    spectral_difference,
    stripes_excess,
)
from spadepis.training.training_state import Stateful

# Weights of the generator's losses. With less weight on the features, colours become glaring. The
# spectra keep textures from all running in one direction, and stripes are those that cross a
# picture.
WEIGHTS = {
    "hinge": 1.0,
    "classes": 1.0,
    "perceptual": 4.0,
    "matching": 2.0,
    "spectra": 1.0,
    "stripes": 2.0,
}
ADAM_BETAS = (0.0, 0.99)
AVERAGE_DECAY = 0.998
LONGEST_GRADIENT = 20.0
# Noise that starts at 0, or learns as slowly as the other weights, does not grow.
FIRST_NOISE_STRENGTH, NOISE_LEARNING_RATE = 0.05, 1e-2
# Its unit is the running deviation of features with noise, which would grow without end above 1.
LARGEST_NOISE_STRENGTH = 0.9
NOISE_PARAMETER = "noise_strength"
# The weights by which classes enter each SPADE, and how much larger their learning rate is. Only
# pictures that show a class change its weights, which otherwise stay close to their random start.
CLASS_WEIGHTS, CLASS_RATE = "mlp_shared.0.weight", 2.0


@dataclass(frozen=True)
class Prepared:
    """A batch with its label maps in the forms that a step needs, on the CPU or uploaded.

    Attributes:
        photos: [N,3,H,W] in [0,1].
        labels: class indices, uint8 [N,H,W].
        semantics: the label maps in the forms that the generator needs.
        seeds: seed of the noise of each picture, int64 [N] on the CPU.
        recolouring: change of colour of each picture, photo and generated alike.
    """

    photos: Tensor
    labels: Tensor
    semantics: SemanticMap
    seeds: Tensor
    recolouring: Recolouring


class Training:
    """The networks of one run, and one step of their training.

    Args:
        generator: the generator, with the weights to start from.
        discriminator: judges the frozen features of pictures.
        features: the frozen features, also those of the perceptual loss.
        class_weights: weight of each class in the losses, [num_classes].
        steps: number of steps of the whole run, over which learning rates fall along half a cosine.
        learning_rate: learning rate of both networks at the start.
        bfloat16: compute in bfloat16 where that is safe.
        warm_up_steps: number of first steps in which only the discriminator is trained.
    """

    def __init__(
        self,
        generator: SpadeGenerator,
        discriminator: Discriminator,
        features: FrozenFeatures,
        class_weights: Tensor,
        steps: int,
        learning_rate: float,
        bfloat16: bool,
        warm_up_steps: int,
    ) -> None:
        self.space = generator.label_space
        self.generator = generator
        _add_spectral_norm(generator)
        self.discriminator = discriminator
        self.features = features
        self.device = class_weights.device
        self.class_weights = class_weights
        self.bfloat16 = bfloat16
        self.warm_up_steps = warm_up_steps
        average = get_ema_multi_avg_fn(AVERAGE_DECAY)  # type: ignore[no-untyped-call]
        self.average = AveragedModel(generator, multi_avg_fn=average)
        self.generator_optimizer = torch.optim.Adam(
            _parameter_groups(generator, learning_rate), betas=ADAM_BETAS, fused=True
        )
        self.discriminator_optimizer = torch.optim.Adam(
            discriminator.parameters(), learning_rate, betas=ADAM_BETAS, fused=True
        )
        self.steps = steps
        self.resume(0)

    def resume(self, done: int) -> None:
        """Set the learning rates to those after so many steps."""
        self.done = done
        trained = max(0, done - self.warm_up_steps)
        steps = max(1, self.steps - self.warm_up_steps)
        self._generator_rates = half_cosine(self.generator_optimizer, steps, trained)
        self._discriminator_rates = half_cosine(self.discriminator_optimizer, self.steps, done)

    def prepare(self, batch: Batch) -> Prepared:
        """What the CPU does for a step, in any process: the rest is done on the device."""
        semantics = self.generator.prepare(batch.labels, device=torch.device("cpu"))
        return Prepared(batch.photos, batch.labels, semantics, batch.seeds, batch.recolouring)

    def upload(self, batch: Prepared) -> Prepared:
        """The batch on the device. It can be uploaded while another step is computed."""
        return Prepared(
            self._upload(batch.photos),
            self._upload(batch.labels),
            batch.semantics.to(self.device),
            batch.seeds,
            batch.recolouring.to(self.device),
        )

    def _upload(self, tensor: Tensor) -> Tensor:
        """A tensor on the device, from pinned memory, so that nothing waits for the copy."""
        if self.device.type == "cpu":
            return tensor
        return tensor.pin_memory().to(self.device, non_blocking=True)

    def step(self, batch: Prepared) -> dict[str, float]:
        """One step of both networks, or at first of the discriminator alone.

        Returns:
            The terms of the losses.
        """
        warm_up = self.done < self.warm_up_steps
        real, labels = 2 * batch.photos - 1, batch.labels.long()
        with self._autocast():
            with torch.set_grad_enabled(not warm_up):
                generated = self.generator.synthesize(batch.semantics, batch.seeds)
                of_generated = self.features(batch.recolouring(generated))
            with torch.no_grad():
                of_real = self.features(batch.recolouring(real))
        terms, matched = self._train_discriminator(of_real, of_generated, labels)
        if not warm_up:
            of_pixels = {
                "spectra": spectral_difference(generated, real),
                "stripes": stripes_excess(generated, real),
            }
            terms |= self._train_generator(of_real, of_generated, labels, matched, of_pixels)
            self.average.update_parameters(self.generator)
        self.done += 1
        return {name: float(term.detach()) for name, term in terms.items()}

    def _train_discriminator(
        self, of_real: Sequence[Tensor], of_generated: Sequence[Tensor], labels: Tensor
    ) -> tuple[dict[str, Tensor], Sequence[Tensor]]:
        """The terms of the loss, and the discriminator's features of the photos."""
        both = [
            torch.cat([real, generated.detach()])
            for real, generated in zip(of_real, of_generated, strict=True)
        ]
        with self._autocast():
            verdict = self.discriminator(both, labels.repeat(2, 1, 1))
            real, generated = verdict.split(len(labels))
            terms = {
                "discriminator_hinge": discriminator_hinge(real, generated),
                "discriminator_classes": discriminator_classification(
                    real, generated, labels, self.class_weights
                ),
            }
        loss = torch.stack(list(terms.values())).sum()
        descend(self.discriminator_optimizer, loss, LONGEST_GRADIENT)
        self._discriminator_rates.step()
        return terms, [features.detach() for features in real.features]

    def _train_generator(
        self,
        of_real: Sequence[Tensor],
        of_generated: Sequence[Tensor],
        labels: Tensor,
        matched: Sequence[Tensor],
        of_pixels: Mapping[str, Tensor],
    ) -> dict[str, Tensor]:
        """The terms of the loss, among them those that compare pixels."""
        # In evaluation mode spectral norm takes the singular vectors as they are.
        self.discriminator.requires_grad_(False).eval()
        with self._autocast():
            verdict = self.discriminator(of_generated, labels)
            terms = {
                "hinge": generator_hinge(verdict),
                "classes": generator_classification(verdict, labels, self.class_weights),
                "perceptual": feature_difference(of_generated, of_real),
                "matching": feature_difference(verdict.features, matched),
                **of_pixels,
            }
        loss = torch.stack([WEIGHTS[name] * term for name, term in terms.items()]).sum()
        descend(self.generator_optimizer, loss, LONGEST_GRADIENT)
        with torch.no_grad():
            for strength in _noise_strengths(self.generator):
                strength.clamp_(-LARGEST_NOISE_STRENGTH, LARGEST_NOISE_STRENGTH)
        self._generator_rates.step()
        self.discriminator.requires_grad_(True).train()
        return terms

    @property
    def parts(self) -> dict[str, Stateful]:
        """All that has a state."""
        return {
            "generator": self.generator,
            "average": self.average,
            "discriminator": self.discriminator,
            "features": self.features,
            "generator_optimizer": self.generator_optimizer,
            "discriminator_optimizer": self.discriminator_optimizer,
        }

    def export(self, batches: Sequence[tuple[Tensor, Tensor]]) -> SpadeGenerator:
        """The averaged generator in evaluation mode, with spectral norm folded.

        The statistics of batch norm are those of the averaged weights on batches of label maps
        [N,H,W] and seeds [N].
        """
        exported = deepcopy(self.average.module)
        assert isinstance(exported, SpadeGenerator)
        for module in exported.modules():
            if is_parametrized(module):
                remove_parametrizations(module, "weight")
        with self._autocast():
            measure_statistics(exported, batches)
        return exported.requires_grad_(False)

    def _autocast(self) -> torch.autocast:
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.bfloat16)


def initialize(generator: SpadeGenerator) -> None:
    """Give a generator random weights.

    They are larger than the paper's (gain 1, not 0.02): SPADE learns sooner, which counts in a
    short training.
    """
    for module in generator.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.xavier_normal_(module.weight)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
    for strength in _noise_strengths(generator):
        nn.init.constant_(strength, FIRST_NOISE_STRENGTH)


def _add_spectral_norm(generator: SpadeGenerator) -> None:
    """Put spectral norm on the convolutions of the residual blocks."""
    for name, module in list(generator.named_modules()):
        if name.rpartition(".")[2] in ("conv_0", "conv_1", "conv_s"):
            spectral_norm(module)


def _noise_strengths(generator: SpadeGenerator) -> list[nn.Parameter]:
    """The learned strengths of the noise in each block; none if the blocks add no noise."""
    parameters = generator.named_parameters()
    return [parameter for name, parameter in parameters if name.endswith(NOISE_PARAMETER)]


def _parameter_groups(generator: SpadeGenerator, learning_rate: float) -> list[dict[str, object]]:
    """All parameters; class weights and strengths of noise have learning rates of their own."""
    rates = {CLASS_WEIGHTS: CLASS_RATE * learning_rate, NOISE_PARAMETER: NOISE_LEARNING_RATE}
    groups: dict[float, list[nn.Parameter]] = defaultdict(list)
    for name, parameter in generator.named_parameters():
        own = (rate for ending, rate in rates.items() if name.endswith(ending))
        groups[next(own, learning_rate)].append(parameter)
    return [{"params": parameters, "lr": rate} for rate, parameters in groups.items()]
