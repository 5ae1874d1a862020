"""Measuring the models on held-out pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor
from torchvision.transforms.v2 import functional as transforms
from torchvision.utils import save_image

from spadepis.checkpoints.defaults import DEFAULT_PHOTOWCT_CHECKPOINT, DEFAULT_SPADE_CHECKPOINT
from spadepis.configuration import ConfigurationError
from spadepis.dataset.inputs.photos import read_photo as read_whole_photo
from spadepis.labels import COCO_STUFF
from spadepis.labels.translation import coco_stuff_classes
from spadepis.photowct import PhotoWCT
from spadepis.pipeline.stages.synthesize import Synthesize
from spadepis.training.crops import resize_pair
from spadepis.training.perceptual import PerceptualNetwork, perceptual_network
from spadepis.training.photos import (
    MAX_PIXELS,
    SHORT_SIDE,
    PairFile,
    is_held_out,
    list_pairs,
    list_photos,
    read_photo,
)
from tools.model_evaluation.config import EvaluationConfig
from tools.model_evaluation.judge import Judge
from tools.model_evaluation.photowct_figures import (
    self_reconstruction,
    stylization_distances,
    stylize_and_smooth,
)
from tools.model_evaluation.spade_figures import Figures, Measurement, diversity, synthesize

# In SqueezeNet's features; the level that the figures are judged by.
JUDGED_LEVEL = 3
SHOWN_PAIRS = 8


@torch.no_grad()
def evaluate_models(config: EvaluationConfig) -> None:
    """Print the figures of both models, as Markdown."""
    if config.threads is not None:
        torch.set_num_threads(config.threads)
    if config.samples is not None:
        config.samples.mkdir(parents=True, exist_ok=True)
    perceptual = perceptual_network(config.perceptual_weights)
    judge = None if config.judge_weights is None else Judge(config.judge_weights)
    checkpoint = config.photowct_checkpoint or DEFAULT_PHOTOWCT_CHECKPOINT
    photowct = PhotoWCT.from_checkpoint(checkpoint)
    styles = [_square(path, config.size) for path in list_photos(config.data / config.styles)]
    folders = [config.data / folder for folder in config.photos]
    photos = [path for one in folders for path in list_photos(one) if is_held_out(path.stem)]
    drawn, predicted = (
        [
            pair
            for one in config.folders(sources)
            for pair in list_pairs(one.photos, one.labels, config.space)
        ]
        for sources in (config.pairs, config.pseudo_pairs)
    )
    predicted = [pair for pair in predicted if is_held_out(pair.id)]
    for setting, given, kept in (
        ("photos", config.photos, photos),
        ("pseudo-pairs", config.pseudo_pairs, predicted),
    ):
        if given and not kept:
            raise ConfigurationError(f"--{setting}: none is held out of training; one in 40 is")
    if photos:
        _evaluate_photowct(config, photos, photowct, perceptual, styles)
    checkpoint = config.spade_checkpoint or DEFAULT_SPADE_CHECKPOINT
    classes = coco_stuff_classes(config.space) if config.translate else None
    space = COCO_STUFF if config.translate else config.space
    stages = [
        Synthesize(checkpoint, space, "cpu", half=False, classes=classes, content_seed=seed)
        for seed in range(config.contents)
    ]
    for kind, pairs in {
        "label maps drawn by people": drawn,
        "label maps predicted by a network": predicted,
    }.items():
        if pairs:
            _evaluate_spade(config, kind, pairs, stages, photowct, styles, perceptual, judge)


def _evaluate_photowct(
    config: EvaluationConfig,
    paths: Sequence[Path],
    network: PhotoWCT,
    perceptual: PerceptualNetwork,
    styles: Sequence[Tensor],
) -> None:
    photos = [_square(path, config.size) for path in paths]
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


def _evaluate_spade(
    config: EvaluationConfig,
    kind: str,
    pairs: Sequence[PairFile],
    stages: Sequence[Synthesize],
    photowct: PhotoWCT,
    styles: Sequence[Tensor],
    perceptual: PerceptualNetwork,
    judge: Judge | None,
) -> None:
    photos, label_maps = zip(*(_read(pair, config.size) for pair in pairs), strict=True)
    by_seed = [synthesize(stage, label_maps) for stage in stages]
    contents = [content for of_seed in by_seed for content in of_seed]
    results = [
        stylize_and_smooth(photowct, content, styles[number % len(styles)])[1].clamp(0, 1)
        for number, content in enumerate(contents)
    ]
    of_photos = Measurement(perceptual, judge, photos, label_maps, config.space)
    repeated = photos * len(stages), label_maps * len(stages)
    measure = Measurement(perceptual, judge, *repeated, config.space)
    figures = {
        "photo": of_photos(photos),
        "content": measure(contents),
        "result": measure(results),
    }
    title = (
        f"## SPADE, {len(pairs)} {kind}, {config.space.name}, size {config.size}, "
        f"{len(stages)} contents of each"
    )
    print(f"{title}\n\n{table(figures)}\n")
    print(
        "distance between two contents of one label map: "
        f"{diversity(perceptual, *by_seed[:2]):.3f}\n",
        flush=True,
    )
    if config.samples is not None:
        colours = [
            torch.from_numpy(config.space.colourize(labels.numpy())).permute(2, 0, 1) / 255
            for labels in label_maps
        ]
        # Those of the first seed.
        for pair, *row in zip(pairs, colours, photos, contents, results, strict=False):
            save_image(torch.stack(row), config.samples / f"spade_{pair.id}.png")


def table(figures: Mapping[str, Figures]) -> str:
    """The figures of several sets of pictures, those of photos first, as Markdown."""
    of_photos = next(iter(figures.values()))
    lines = [
        "| picture | mean IoU | share of photos' | Fréchet distance to the photos, levels 2 to 5 "
        "| stripes | frame |",
        "|---|---|---|---|---|---|",
    ]
    for name, figure in figures.items():
        found = "- | -"
        if figure.mean_iou is not None and of_photos.mean_iou is not None:
            share = f"{figure.mean_iou / of_photos.mean_iou:.2f}" if of_photos.mean_iou else "-"
            found = f"{figure.mean_iou:.3f} | {share}"
        frechet = ", ".join(f"{value:.4g}" for value in figure.frechet.values())
        lines.append(
            f"| {name} | {found} | {frechet} | {figure.stripes:.3f} | {figure.frame:.2f} |"
        )
    for name, figure in figures.items():
        if figure.iou:
            named = ", ".join(f"{label} {value:.2f}" for label, value in figure.iou.items())
            lines += ["", f"IoU in the {name}: {named}"]
    return "\n".join(lines)


def _read(pair: PairFile, size: int | Literal["source"]) -> tuple[Tensor, Tensor]:
    """A photo [3,H,W] in [0,1] and its class indices [H,W]."""
    if size == "source":
        whole = pair.read_at_size_of_labels()
        return whole.photo / 255, whole.labels.long()
    return resize_pair(pair.read(), size)


def _square(path: Path, size: int | Literal["source"]) -> Tensor:
    """The middle of a photo, as float [3,size,size] in [0,1], or of 256 pixels."""
    side = SHORT_SIDE if size == "source" else size
    photo = read_photo(path)
    if min(photo.shape[1:]) < side:
        # As training does not shrink it; what is smaller still is enlarged rather than framed.
        whole = read_whole_photo(str(path), MAX_PIXELS)
        photo = transforms.resize(torch.tensor(whole).permute(2, 0, 1), [side])
    cropped: Tensor = transforms.center_crop(photo, [side, side])
    return cropped.float() / 255
