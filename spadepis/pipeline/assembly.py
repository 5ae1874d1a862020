"""The stages of a job, in order, and what each is made with; what matches styles to scenes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np

from spadepis.dataset.image_set.lease import Lease
from spadepis.dataset.image_set.writer import ImageSetWriter
from spadepis.dataset.inputs.conventions import UNKNOWN_CONVENTIONS, LabelConventions
from spadepis.dataset.storage.folder import Folder
from spadepis.matching.descriptors import Descriptor
from spadepis.matching.matching import Matching
from spadepis.matching.style_index import StyleIndex
from spadepis.pipeline.config.resolution import JobConfig
from spadepis.pipeline.scene import Scene, Style
from spadepis.pipeline.stages.assess import Assess
from spadepis.pipeline.stages.assess_batches import AssessBatches
from spadepis.pipeline.stages.declarations import ASSESS, SMOOTH, STYLIZE, SYNTHESIZE, Declaration
from spadepis.pipeline.stages.describe_styles import DescribeStyles
from spadepis.pipeline.stages.read import ReadScenes
from spadepis.pipeline.stages.region_guidance import RegionGuidance
from spadepis.pipeline.stages.smooth import Smooth
from spadepis.pipeline.stages.smooth_batches import SmoothBatches
from spadepis.pipeline.stages.stage import StageSpec
from spadepis.pipeline.stages.stylize import Stylize
from spadepis.pipeline.stages.synthesize import Synthesize
from spadepis.pipeline.stages.write import Write


def assemble(
    config: JobConfig,
    devices: Mapping[Declaration, str],
    matching: Matching | None = None,
    styles: Mapping[str, Style] | None = None,
    conventions: LabelConventions = UNKNOWN_CONVENTIONS,
    style_conventions: LabelConventions = UNKNOWN_CONVENTIONS,
    lease: Lease | None = None,
) -> list[StageSpec]:
    """The stages of a job, from reading to writing.

    Args:
        config: the configuration of the job.
        devices: device by stage; a stage that is not in it runs on a CPU.
        matching: chooses the styles of scenes that have none yet.
        styles: styles that it chooses from, by id.
        conventions: how label maps are read where a file leaves it open.
        style_conventions: the same of the label maps of styles.
        lease: of the image set, if a job holds it.
    """
    stages = [_reading(config, conventions)]
    if config.job.synthesizes:
        stages.append(_synthesis(config, devices.get(SYNTHESIZE, "cpu")))
    if config.job.stylizes:
        guidance = _guidance(config, style_conventions)
        device = devices.get(STYLIZE, "cpu")
        stages.append(_stylization(config, device, matching, styles or {}, guidance))
        stages.append(_smoothing(devices.get(SMOOTH, "cpu")))
    if config.quality.quality:
        stages.append(_assessment(config, devices.get(ASSESS, "cpu")))
    stages.append(_writing(config, lease))
    return [_own_stage(config, stage.declaration, devices) or stage for stage in stages]


def _own_stage(
    config: JobConfig, replaced: Declaration, devices: Mapping[Declaration, str]
) -> StageSpec | None:
    """The user's stage in place of one; one that can use a GPU is told its device."""
    own = config.own_stages.get(replaced.name)
    if own is None or "cuda" not in own.declaration.devices:
        return own
    return StageSpec(own.kind, {**own.arguments, "device": devices.get(replaced, "cpu")})


def match_styles(
    config: JobConfig,
    styles: Sequence[Style],
    describe: Callable[[StageSpec, list[Scene]], Iterable[tuple[str, Descriptor | None]]],
    conventions: LabelConventions = UNKNOWN_CONVENTIONS,
) -> Matching | None:
    """What chooses the styles of scenes, if a job matches them; the styles are described for it.

    Styles and scenes are compared by their label maps if both have any, else by deep features.

    Args:
        config: the configuration of the job.
        styles: the styles to choose from.
        describe: has styles described by a stage, in any order.
        conventions: how label maps of styles are read where a file leaves it open.
    """
    if config.matched_labels is None:
        return None
    by_classes = config.inputs.masks is not None and config.styles.style_masks is not None
    arguments = {
        "label_space": config.label_space,
        "region_labels": config.matched_labels,
        "checkpoint": None if by_classes else config.networks.photowct_checkpoint,
        "max_pixels": config.inputs.max_pixels,
        "conventions": conventions,
    }
    ids = [str(style.id) for style in styles]
    photos = [
        Scene(id, [Style(None, None)], style.mask_source, photo_source=style.source)
        for id, style in zip(ids, styles, strict=True)
    ]
    found = dict(describe(StageSpec(DescribeStyles, arguments), photos))
    descriptors = [found[id] for id in ids]
    length = next((len(each) for each in descriptors if each is not None), 1)
    # A style that cannot be read is chosen last, and then fails where it is used.
    unknown = np.full(length, np.nan, np.float32)
    rows = [unknown if each is None else each for each in descriptors]
    index = StyleIndex(ids, np.stack(rows), by_classes)
    return Matching(index, config.styles.match_diversity, config.matched_labels)


def _reading(config: JobConfig, conventions: LabelConventions) -> StageSpec:
    return StageSpec(
        ReadScenes,
        {
            "label_space": config.label_space,
            "size": config.size,
            "longest_side": config.longest_side,
            "max_pixels": config.inputs.max_pixels,
            "conventions": conventions,
            "keep_instances": config.output.keep_instances,
            "deblock": config.inputs.deblock,
        },
    )


def _guidance(config: JobConfig, style_conventions: LabelConventions) -> RegionGuidance | None:
    if config.region_labels is None:
        return None
    fallback = config.styles.region_guidance == "fallback"
    return RegionGuidance(config.label_space, config.region_labels, fallback, style_conventions)


def _synthesis(config: JobConfig, device: str) -> StageSpec:
    return StageSpec(
        Synthesize,
        {
            "checkpoint": config.networks.spade_checkpoint,
            "label_space": config.generator_space,
            "classes": config.generator_classes,
            "device": device,
            "half": _is_half(config, device),
            "content_seed": config.networks.content_seed,
        },
    )


def _stylization(
    config: JobConfig,
    device: str,
    matching: Matching | None,
    styles: Mapping[str, Style],
    guidance: RegionGuidance | None,
) -> StageSpec:
    return StageSpec(
        Stylize,
        {
            "checkpoint": config.networks.photowct_checkpoint,
            "device": device,
            "half": _is_half(config, device),
            "longest_side": config.styles.longest_style_side,
            "max_pixels": config.inputs.max_pixels,
            "matching": matching,
            "styles": styles,
            "guidance": guidance,
            "strength": config.styles.style_strength,
        },
    )


def _smoothing(device: str) -> StageSpec:
    return StageSpec(Smooth) if device == "cpu" else StageSpec(SmoothBatches, {"device": device})


def _assessment(config: JobConfig, device: str) -> StageSpec:
    arguments = {
        "checkpoint": config.networks.photowct_checkpoint if config.job.stylizes else None,
        "max_pixels": config.inputs.max_pixels,
        "thresholds": config.thresholds,
    }
    if device == "cpu":
        return StageSpec(Assess, arguments)
    return StageSpec(AssessBatches, {**arguments, "device": device})


def _writing(config: JobConfig, lease: Lease | None) -> StageSpec:
    output = config.output
    writer = ImageSetWriter(
        Folder(output.output),
        output.image_format,
        output.jpeg_quality,
        in_shards=output.output_format == "parquet",
        split_by=output.split_by,
    )
    return StageSpec(
        Write,
        {
            "writer": writer,
            "label_space": config.label_space,
            "keep_contents": output.keep_contents and config.job.stylizes,
            "lease": lease,
        },
    )


def _is_half(config: JobConfig, device: str) -> bool:
    """Whether the networks compute in half precision on a device."""
    precision = config.networks.precision
    return precision == "half" or (precision == "auto" and device != "cpu")
