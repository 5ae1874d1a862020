"""Regions of the content take the style of related regions, in the stage and its settings."""

from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from spadepis.checkpoints.defaults import DEFAULT_PHOTOWCT_CHECKPOINT
from spadepis.configuration import ConfigurationError
from spadepis.labels import COCO_STUFF
from spadepis.labels.related_classes import find_region_labels
from spadepis.photowct import PhotoWCT, StyleStatistics
from spadepis.pipeline.config.command import parse_config
from spadepis.pipeline.config.identity import identify
from spadepis.pipeline.config.job import Job
from spadepis.pipeline.scene import Scene, Style
from spadepis.pipeline.stages import kept_styles
from spadepis.pipeline.stages.region_guidance import RegionGuidance
from spadepis.pipeline.stages.stylize import Stylize

CONTENT, STYLE = "256743165_9f130ba95b_b", "36142796444_45d452f567_b"
SIDE = 192


def stage(
    guidance: RegionGuidance | None = None,
    strength: float = 1.0,
    checkpoint: str = DEFAULT_PHOTOWCT_CHECKPOINT,
) -> Stylize:
    return Stylize(checkpoint, "cpu", False, SIDE, 10**6, guidance=guidance, strength=strength)


def guided(fallback: bool, related: str | None = None) -> RegionGuidance:
    return RegionGuidance(COCO_STUFF, find_region_labels(COCO_STUFF, related), fallback)


def through(stage: Stylize, scene: Scene) -> Scene:
    (result,) = stage([scene.copy()])
    return result


@pytest.fixture(scope="module")
def landscapes(shared: Path) -> Path:
    return shared / "data" / "landscapes_coco_stuff"


@pytest.fixture(scope="module")
def scene(landscapes: Path) -> Scene:
    """A river between trees, to get the style of a rocky coast under clouds."""
    photo = Image.open(landscapes / "images" / f"{CONTENT}.jpg").resize((SIDE, 128))
    raw = Image.open(landscapes / "labels" / f"{CONTENT}.png")
    label_map = COCO_STUFF.decode(np.asarray(raw.resize((SIDE, 128), Image.Resampling.NEAREST)))
    paths = landscapes / "images" / f"{STYLE}.jpg", landscapes / "labels" / f"{STYLE}.png"
    style = Style("coast", *map(str, paths))
    return Scene("river", [style], label_map=label_map.astype(np.uint8), content=np.array(photo))


def result(stage: Stylize, scene: Scene) -> NDArray[np.int64]:
    (image,) = through(stage, scene).results
    return image.astype(np.int64)


def test_fallback_stylizes_what_published_leaves(scene: Scene) -> None:
    """With each class on its own the style has no river; the sea related to it is another look."""
    assert scene.label_map is not None
    river = scene.label_map == COCO_STUFF.names.index("river")
    assert 0.2 < river.mean() < 0.6
    unguided = result(stage(), scene)
    published = result(stage(guided(False, "none")), scene)
    fallback = result(stage(guided(True, "none")), scene)
    related = result(stage(guided(True)), scene)
    reconstructed = result(stage(strength=0.0), scene)

    def apart(one: NDArray[np.int64], other: NDArray[np.int64]) -> float:
        return float(np.abs(one - other)[river].mean())

    # Features are left alone, but every decoder also sees those around the river.
    assert apart(published, reconstructed) < apart(published, unguided) / 2
    assert apart(fallback, reconstructed) > 2 * apart(published, reconstructed)
    assert apart(related, fallback) > 5


def test_the_stage_does_as_the_network_does(scene: Scene) -> None:
    assert scene.content is not None and scene.label_map is not None
    network = PhotoWCT.from_checkpoint(DEFAULT_PHOTOWCT_CHECKPOINT)
    guidance = guided(True)
    style = scene.styles[0]
    assert style.source is not None and style.mask_source is not None
    photo = Image.open(style.source).convert("RGB")
    scale = SIDE / max(photo.size)
    width, height = (round(side * scale) for side in photo.size)
    photo = photo.resize((width, height), Image.Resampling.BICUBIC)
    raw = Image.open(style.mask_source).resize((width, height), Image.Resampling.NEAREST)
    regions = guidance.regions(COCO_STUFF.decode(np.asarray(raw)).astype(np.uint8))

    def tensor(image: NDArray[np.uint8]) -> torch.Tensor:
        return torch.tensor(image).permute(2, 0, 1) / 255

    expected = network.stylize(
        tensor(scene.content),
        [network.encode_style(tensor(np.array(photo)), regions)],
        guidance.regions(scene.label_map),
        fallback=True,
        strength=0.6,
    )
    levels = expected[0].clamp(0, 1).mul(255).permute(1, 2, 0).numpy()
    assert np.abs(result(stage(guidance, strength=0.6), scene) - levels).max() <= 0.501


def test_bad_label_maps_of_styles_fail_their_pairs_alone(
    photowct_checkpoint: str, tmp_path: Path
) -> None:
    generator = np.random.default_rng(0)
    photo = generator.integers(0, 255, (32, 40, 3), dtype=np.uint8)
    Image.fromarray(photo).save(tmp_path / "photo.png")
    labels = np.zeros((16, 20), np.uint8)
    Image.fromarray(labels).save(tmp_path / "good.png")
    Image.fromarray(labels + 200).save(tmp_path / "outside.png")
    Image.fromarray(photo).save(tmp_path / "rgb.png")
    names = ("good", "missing", "outside", "rgb")
    source = str(tmp_path / "photo.png")
    styles = [Style(name, source, str(tmp_path / f"{name}.png")) for name in names]
    content = Scene("a", styles, label_map=labels.repeat(2, 0).repeat(2, 1), content=photo)
    done = through(stage(guided(True), checkpoint=photowct_checkpoint), content)
    assert [style.id for style in done.styles] == ["good"]
    assert len(done.results) == 1
    reasons = {
        "missing": "cannot be read",
        "outside": "coco-stuff: no class has the raw value 200",
        "rgb": "one channel of integers, this is a RGB image",
    }
    failures = {failure.style.id: failure for failure in done.failures}
    assert failures.keys() == reasons.keys()
    for name, reason in reasons.items():
        assert failures[name].stage == "stylize"
        assert failures[name].source == str(tmp_path / f"{name}.png")
        assert reason in failures[name].message


def test_the_styles_used_last_are_kept(
    photowct_checkpoint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = PhotoWCT.from_checkpoint(photowct_checkpoint)
    statistics = network.encode_style(torch.rand(3, 32, 32))
    monkeypatch.setattr(kept_styles, "KEPT_STYLE_BYTES", 2 * statistics.num_bytes)
    kept = stage(checkpoint=photowct_checkpoint)
    encoded: list[object] = []

    def encode(image: torch.Tensor, regions: object) -> StyleStatistics:
        encoded.append(image)
        return statistics

    monkeypatch.setattr(kept.network, "encode_style", encode)
    for name in "abc":
        Image.fromarray(np.zeros((32, 32, 3), np.uint8)).save(tmp_path / f"{name}.png")
    for name, times in zip("abacab", (1, 2, 2, 3, 3, 4), strict=True):
        style = Style(name, str(tmp_path / f"{name}.png"))
        assert kept.kept_styles.find(style) is statistics
        assert len(encoded) == times


BOTH = ["--masks=m", "--styles=s", "--output=o"]
PHOTOS = ["--photos=p", "--styles=s", "--output=o"]


@pytest.mark.parametrize(
    ("job", "arguments", "reason"),
    [
        (Job.STYLIZE, [*PHOTOS, "--style-masks=t"], "--style-masks needs --masks"),
        (
            Job.SYNTHESIZE_AND_STYLIZE,
            [*BOTH, "--region-guidance=published"],
            "--region-guidance needs --style-masks",
        ),
        (
            Job.SYNTHESIZE_AND_STYLIZE,
            [*BOTH, "--related-classes=none"],
            "--related-classes goes with --style-masks",
        ),
        (
            Job.SYNTHESIZE_AND_STYLIZE,
            [*BOTH, "--style-masks=t", "--region-guidance=none", "--related-classes=none"],
            "--related-classes goes with --style-masks and --region-guidance, or with --pairing",
        ),
        (
            Job.SYNTHESIZE_AND_STYLIZE,
            [*BOTH, "--style-masks=t", "--related-classes=gone.yaml"],
            "--related-classes: gone.yaml cannot be read",
        ),
        (Job.STYLIZE, [*PHOTOS, "--style-strength=1.5"], "--style-strength 1.5: give 1.0"),
        (Job.SYNTHESIZE, ["--masks=m", "--output=o", "--style-strength=0.5"], "takes no --style-s"),
    ],
)
def test_settings_that_do_not_go_together(job: Job, arguments: list[str], reason: str) -> None:
    with pytest.raises(ConfigurationError) as error:
        parse_config(job, arguments)
    assert reason in str(error.value)


def test_regions_guide_where_there_are_label_maps_on_both_sides(tmp_path: Path) -> None:
    def region_labels(*arguments: str) -> object:
        return parse_config(Job.SYNTHESIZE_AND_STYLIZE, [*BOTH, *arguments]).region_labels

    assert region_labels() is None
    assert region_labels("--style-masks=t", "--region-guidance=none") is None
    assert region_labels("--style-masks=t") == find_region_labels(COCO_STUFF, None)
    alone = "--style-masks=t", "--related-classes=none"
    assert region_labels(*alone) == find_region_labels(COCO_STUFF, "none")
    photos = parse_config(Job.STYLIZE, [*PHOTOS, "--masks=m", "--style-masks=t"])
    assert photos.region_labels is not None


def test_results_of_other_guidance_are_another_image_set(tmp_path: Path) -> None:
    groups = tmp_path / "groups.yaml"

    def identity(*arguments: str) -> dict[str, object]:
        config = parse_config(Job.SYNTHESIZE_AND_STYLIZE, [*BOTH, *arguments])
        return identify(config, ["s"])

    masks = "--style-masks=t"
    groups.write_text("- [sea, river]")
    mine = [masks, f"--related-classes={groups}"]
    several = [
        identity(),
        identity("--style-strength=0.5"),
        identity(masks),
        identity(masks, "--region-guidance=published"),
        identity(masks, "--region-guidance=none"),
        identity(masks, "--related-classes=none"),
        identity(*mine),
    ]
    assert all(one != other for i, one in enumerate(several) for other in several[:i])
    assert identity(*mine) == several[-1]
    groups.write_text("- [tree, bush]")
    assert identity(*mine) != several[-1]
