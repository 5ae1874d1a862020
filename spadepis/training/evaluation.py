"""The job that measures the models on held-out pictures and prints the figures."""

from __future__ import annotations

import safetensors.torch
import torch
from torch import Tensor
from torchvision.transforms.v2 import functional as transforms
from torchvision.utils import save_image

from spadepis.checkpoints.defaults import DEFAULT_PHOTOWCT_CHECKPOINT, DEFAULT_SPADE_CHECKPOINTS
from spadepis.photowct import PhotoWCT
from spadepis.spade import SpadeGenerator
from spadepis.training.config import EvaluationConfig
from spadepis.training.perceptual import PerceptualNetwork
from spadepis.training.photos import Pair, Split, read_all_photos
from spadepis.training.photowct_evaluation import (
    self_reconstruction,
    stylization_distances,
    stylize_and_smooth,
)
from spadepis.training.runs import all_photos, prepare
from spadepis.training.segmentation import SegmentationNetwork, train_segmentation
from spadepis.training.spade_evaluation import (
    frechet_by_level,
    mean_colours,
    mean_iou,
    resized,
    synthesize,
)

# In SqueezeNet's features; the level that the figures are judged by.
JUDGED_LEVEL = 3
SEGMENTATION_BATCH, SEGMENTATION_CROP = 8, 128
SHOWN_PAIRS = 8


@torch.no_grad()
def evaluate_models_job(config: EvaluationConfig) -> None:
    """Print the figures of both models, as Markdown."""
    perceptual = prepare(config)
    if config.samples is not None:
        config.samples.mkdir(parents=True, exist_ok=True)
    _evaluate_photowct(config, perceptual)
    _evaluate_spade(config, perceptual)


def _evaluate_photowct(config: EvaluationConfig, perceptual: PerceptualNetwork) -> None:
    network = PhotoWCT.from_checkpoint(config.photowct_checkpoint or DEFAULT_PHOTOWCT_CHECKPOINT)
    held_out = all_photos(config, config.photos).held_out[0]
    photos = [_square(photo, config.size) for photo in held_out]
    styles = [_square(photo, config.size) for photo in read_all_photos(config.data / config.styles)]
    styles_of_photos = [styles[i % len(styles)] for i in range(len(photos))]

    quality = self_reconstruction(network, photos)
    distances = stylization_distances(network, perceptual, photos, styles_of_photos)
    print(
        f"## PhotoWCT, {len(photos)} held-out photos, {len(styles)} styles, {config.size} pixels\n"
    )
    print(f"self-reconstruction: {quality:.2f} dB\n")
    print("| picture | Fréchet distance to the style, levels 2 to 5 | level 3, share | edge SSIM |")
    print("|---|---|---|---|")
    unstylized = distances["content"].frechet[JUDGED_LEVEL]
    for name, measured in distances.items():
        frechet = ", ".join(f"{value:.4g}" for value in measured.frechet.values())
        share = measured.frechet[JUDGED_LEVEL] / unstylized
        print(f"| {name} | {frechet} | {share:.2f} | {measured.structure:.3f} |")
    print(flush=True)
    if config.samples is not None:
        for i in range(min(SHOWN_PAIRS, len(photos))):
            # Spread over all of them, which lie source by source.
            shown = i * len(photos) // min(SHOWN_PAIRS, len(photos))
            pair = photos[shown], styles_of_photos[shown]
            row = [*pair, *stylize_and_smooth(network, *pair)]
            save_image(torch.stack(row), config.samples / f"photowct_{i}.png")


def _evaluate_spade(config: EvaluationConfig, perceptual: PerceptualNetwork) -> None:
    space = config.space
    checkpoint = config.spade_checkpoint or DEFAULT_SPADE_CHECKPOINTS[space.name]
    generator = SpadeGenerator.from_checkpoint(checkpoint, space)
    pairs = config.read_pairs()
    held_out = [resized(pair, config.size) for source in pairs.held_out for pair in source]
    photos, label_maps = ([pair[i] for pair in held_out] for i in range(2))
    generated = [synthesize(generator, labels) for labels in label_maps]
    colours = mean_colours((pair for source in pairs.training for pair in source), len(space.names))
    flat = [colours[labels].permute(2, 0, 1) for labels in label_maps]

    print(f"## SPADE, {len(photos)} held-out pairs, {config.size} pixels\n")
    print("| picture | Fréchet distance to the photos, levels 2 to 5 | level 3, share |")
    print("|---|---|---|")
    of_flat = frechet_by_level(perceptual, flat, photos)
    for name, measured in {
        "mean colour of each class": of_flat,
        "generated": frechet_by_level(perceptual, generated, photos),
    }.items():
        frechet = ", ".join(f"{value:.4g}" for value in measured.values())
        share = measured[JUDGED_LEVEL] / of_flat[JUDGED_LEVEL]
        print(f"| {name} | {frechet} | {share:.2f} |")

    network = _segmentation_network(config, pairs)
    print("\n| picture | mean IoU | by class |")
    print("|---|---|---|")
    for name, pictures in {"photo": photos, "generated": generated}.items():
        mean, by_class = mean_iou(network, pictures, label_maps, space)
        named = ", ".join(f"{label} {value:.2f}" for label, value in by_class.items())
        print(f"| {name} | {mean:.3f} | {named} |")
    if config.samples is not None:
        painted = [
            torch.from_numpy(space.colourize(labels.numpy())).permute(2, 0, 1) / 255
            for labels in label_maps
        ]
        step = max(1, len(photos) // 24)
        columns = [picture[::step] for picture in (painted, photos, generated)]
        rows = [torch.stack(row) for row in zip(*columns, strict=True)]
        save_image(torch.cat(rows), config.samples / "spade.png", nrow=6)


def _segmentation_network(config: EvaluationConfig, pairs: Split[Pair]) -> SegmentationNetwork:
    """The network in the file of ``segmentation_weights``, or one trained now on real pairs."""
    num_classes = config.space.num_classes
    path = config.segmentation_weights
    if path is not None and path.exists():
        network = SegmentationNetwork(num_classes)
        network.load_state_dict(safetensors.torch.load_file(path))
        return network.eval()
    with torch.enable_grad():
        network = train_segmentation(
            pairs,
            num_classes,
            config.segmentation_steps,
            SEGMENTATION_BATCH,
            SEGMENTATION_CROP,
            config.seed,
        )
    if path is not None:
        weights = {key: tensor.contiguous() for key, tensor in network.state_dict().items()}
        safetensors.torch.save_file(weights, path)
    return network


def _square(photo: Tensor, size: int) -> Tensor:
    """The middle of a photo, uint8 [3,h,w], as float [3,size,size] in [0,1]."""
    cropped: Tensor = transforms.center_crop(photo, [size, size])
    return cropped.float() / 255
