"""Figures of PhotoWCT and of PCA-KD on the same photos and styles."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torchvision.transforms.v2 import functional as transforms
from torchvision.utils import save_image

from spadepis.labels import ADE20K, COCO_STUFF, LabelSpace
from spadepis.photowct import PhotoWCT
from spadepis.quality.artifacts import stripes
from spadepis.training.crops import resize_pair
from spadepis.training.perceptual import LEVELS, PerceptualNetwork, perceptual_network
from spadepis.training.photos import list_pairs, list_photos, read_photo
from tools.model_evaluation.judge import JUDGED_CLASSES, Judge, judged_labels, mean_iou
from tools.model_evaluation.photowct_figures import (
    Distances,
    distances,
    mean_distances,
    smooth_picture,
)
from tools.studies.pcakd.artifacts import Artifacts, Stylizer, as_pixels, find_artifacts
from tools.studies.pcakd.config import ComparisonConfig
from tools.studies.pcakd.network import PcaKd

SPACES = (COCO_STUFF, ADE20K)


@dataclass(frozen=True)
class Scene:
    """A photo [3,H,W] and its label map [H,W], and the style that it takes."""

    photo: Tensor
    labels: Tensor
    space: LabelSpace
    style: Tensor


@dataclass(frozen=True)
class Result:
    """What a method made of all scenes, and the median of its seconds."""

    name: str
    pictures: Sequence[Tensor]
    seconds: float


@dataclass(frozen=True)
class Figures:
    """Of what a method made of all scenes.

    Attributes:
        distances: means of those from photo and style.
        stripes: mean share of power in purely horizontal and vertical frequencies.
        mean_iou: of the classes that the judge finds, by the name of the label space.
    """

    distances: Distances
    stripes: float
    mean_iou: dict[str, float]


@torch.no_grad()
def compare(config: ComparisonConfig) -> None:
    """Print the figures of all methods as two tables in Markdown."""
    torch.set_num_threads(config.threads or 1)
    scenes = _scenes(config)
    perceptual = perceptual_network(config.perceptual_weights)
    judge = Judge(config.judge_weights)
    methods = stylizers(config)
    results = [Result("photo", [scene.photo for scene in scenes], 0.0)]
    for name, stylize in methods.items():
        results += stylize_all(name, stylize, scenes)
    print(
        f"{len(scenes)} photos, {config.size} pixels\n\n"
        "| picture | edge SSIM | Fréchet distance, levels 2 to 5 | IoU, COCO-Stuff | ADE20K "
        "| stripes | seconds |\n"
        "|---|---|---|---|---|---|---|"
    )
    of_photos = None
    for result in results:
        figures = measure(result.pictures, scenes, perceptual, judge)
        of_photos = of_photos or figures
        print(_row(result, figures, of_photos), flush=True)
    print(
        "\n| picture | weak stripes: median, largest | dither in saturated spots "
        "| blockiness of JPEG | with --deblock |\n|---|---|---|---|---|"
    )
    pairs = [(scene.photo, scene.style) for scene in scenes]
    print(_artifact_row("photo", find_artifacts(lambda content, _: content, pairs), 0))
    for name, stylize in methods.items():
        artifacts = find_artifacts(stylize, pairs)
        print(_artifact_row(name, artifacts, 0))
        print(_artifact_row(f"{name}, smoothed", artifacts, 1), flush=True)
    if config.samples is not None:
        config.samples.mkdir(parents=True, exist_ok=True)
        for number, scene in enumerate(scenes):
            photo, *made = (result.pictures[number] for result in results)
            save_image([photo, scene.style, *made], config.samples / f"{number:02}.png", nrow=4)


def stylizers(config: ComparisonConfig) -> dict[str, Stylizer]:
    """The methods by name."""
    photowct = PhotoWCT.from_checkpoint(config.photowct_checkpoint)

    def of_strength(strength: float) -> Stylizer:
        return lambda content, style: photowct.stylize(
            content, [photowct.encode_style(style)], strength=strength
        )[0]

    methods = {f"PhotoWCT, strength {s:g}": of_strength(s) for s in config.strengths}
    for path in config.pcakd_weights:
        methods[path.stem] = PcaKd.from_file(path).stylize
    return methods


def stylize_all(name: str, stylize: Stylizer, scenes: Sequence[Scene]) -> Iterator[Result]:
    """What a method makes of all scenes, before and after smoothing."""
    pictures: dict[str, list[Tensor]] = {"": [], ", smoothed": []}
    seconds: dict[str, list[float]] = {"": [], ", smoothed": []}
    for scene in scenes:
        start = time.process_time()
        stylized = stylize(scene.photo, scene.style).clamp(0, 1)
        seconds[""].append(time.process_time() - start)
        smoothed = smooth_picture(scene.photo, stylized)
        seconds[", smoothed"].append(time.process_time() - start)
        pictures[""].append(stylized)
        pictures[", smoothed"].append(smoothed)
    for suffix, made in pictures.items():
        yield Result(name + suffix, made, float(np.median(seconds[suffix])))


def measure(
    pictures: Sequence[Tensor],
    scenes: Sequence[Scene],
    perceptual: PerceptualNetwork,
    judge: Judge,
) -> Figures:
    """The figures of pictures [3,H,W] in [0,1], one for each scene."""
    pairs = list(zip(pictures, scenes, strict=True))
    ious = {}
    for space in SPACES:
        of_space = [(picture, scene) for picture, scene in pairs if scene.space is space]
        if of_space:
            found = [judge(picture) for picture, _ in of_space]
            expected = [judged_labels(scene.labels, space) for _, scene in of_space]
            ious[space.name] = mean_iou(found, expected, len(JUDGED_CLASSES))[0]
    return Figures(
        mean_distances(
            [distances(perceptual, picture, scene.photo, scene.style) for picture, scene in pairs]
        ),
        float(np.mean([stripes(as_pixels(picture)) for picture in pictures])),
        ious,
    )


def _row(result: Result, figures: Figures, of_photos: Figures) -> str:
    shares = [
        f"{figures.distances.frechet[level] / of_photos.distances.frechet[level]:.2f}"
        for level in LEVELS
    ]
    ious = [
        f"{figures.mean_iou[space.name]:.3f}, "
        f"{figures.mean_iou[space.name] / of_photos.mean_iou[space.name]:.2f}"
        if space.name in figures.mean_iou
        else "-"
        for space in SPACES
    ]
    cells = [
        result.name,
        f"{figures.distances.structure:.3f}",
        ", ".join(shares),
        *ious,
        f"{figures.stripes:.3f}",
        f"{result.seconds:.2f}",
    ]
    return f"| {' | '.join(cells)} |"


def _artifact_row(name: str, artifacts: Artifacts, smoothed: int) -> str:
    gains, dither, blocks, deblocked = (
        found[:, smoothed]
        for found in (
            artifacts.gains,
            artifacts.dither,
            artifacts.blockiness,
            artifacts.deblocked,
        )
    )
    # Few scenes may have no flat patch, or no saturated spot.
    cells = [
        name,
        f"{np.median(gains):.2f}, {gains.max():.1f}" if len(gains) else "-",
        f"{dither.mean():.2f}" if len(dither) else "-",
        f"{np.median(blocks):.2f}",
        f"{np.median(deblocked):.2f}",
    ]
    return f"| {' | '.join(cells)} |"


def _scenes(config: ComparisonConfig) -> list[Scene]:
    """The pairs of both label spaces; the styles take turns."""
    styles = [
        transforms.center_crop(read_photo(path), [config.size, config.size]).float() / 255
        for path in list_photos(config.data / config.styles)
    ]
    scenes: list[Scene] = []
    for space, sources in zip(SPACES, (config.pairs, config.ade20k_pairs), strict=True):
        for folders in config.folders(sources):
            for pair in list_pairs(folders.photos, folders.labels, space)[:: config.stride]:
                photo, labels = resize_pair(pair.read(), config.size)
                scenes.append(Scene(photo, labels, space, styles[len(scenes) % len(styles)]))
    return scenes
