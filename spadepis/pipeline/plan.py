"""What a job is to do: every mask with its styles, and what of it is still missing."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from spadepis.dataset.folder import Folder
from spadepis.dataset.pairing import random_styles
from spadepis.dataset.sources import SourceError, list_images
from spadepis.pipeline.config import ConfigurationError, Job, JobConfig
from spadepis.pipeline.scene import Scene, Style

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Plan:
    """The work of a job.

    Attributes:
        scenes: one per mask (or photo), with the styles to be done.
        style_ids: all styles there are to draw from.
    """

    scenes: Sequence[Scene]
    style_ids: Sequence[str]

    @property
    def pairs(self) -> int:
        """How many results there are to be."""
        return sum(len(scene.styles) for scene in self.scenes)

    def without(self, settled: Collection[tuple[str, str | None]]) -> Plan:
        """The part of the plan that is not among the (mask, style) pairs of ``settled``."""
        scenes = [
            replace(scene, styles=[s for s in scene.styles if (scene.id, s.id) not in settled])
            for scene in self.scenes
        ]
        return replace(self, scenes=[scene for scene in scenes if scene.styles])


def make_plan(job: Job, config: JobConfig) -> Plan:
    """List the inputs of a job and pair them; no input file is opened.

    Raises:
        ConfigurationError: an input folder is missing or empty, or has too few styles.
    """
    output = Folder(config.output).uri
    try:
        styles = _by_id(config.styles, output) if job.stylizes else {}
        masks = _by_id(config.masks, output)
        instances = _by_id(config.instances, output)
        photos = _by_id(config.photos, output)
    except SourceError as error:
        raise ConfigurationError(str(error)) from error
    if len(styles) < config.styles_per_mask and job.stylizes:
        raise ConfigurationError(
            f"--styles-per-mask {config.styles_per_mask}: {config.styles} holds {len(styles)}"
        )
    if config.space.has_instance_edges and job.synthesizes and not instances:
        log.warning("no --instances: the borders between classes serve as instance edges")
    style_ids = sorted(styles)

    def scene(id: str) -> Scene:
        drawn = [Style(None, None)]
        if job.stylizes:
            chosen = random_styles(id, style_ids, config.styles_per_mask, config.seed)
            drawn = [Style(style_id, styles[style_id]) for style_id in chosen]
        return Scene(
            id,
            drawn,
            mask_source=_companion(masks, config.masks, id),
            instance_source=_companion(instances, config.instances, id),
            photo_source=photos.get(id),
        )

    ids = list(masks if job.synthesizes else photos)[: config.limit]
    return Plan([scene(id) for id in ids], style_ids)


def _by_id(uri: str | None, output: str) -> dict[str, str]:
    if uri is None:
        return {}
    listing = list_images(uri, exclude=output)
    if listing.ignored:
        log.warning(
            "%s: left out, not named like an image: %d of the files, e.g. %s",
            uri,
            len(listing.ignored),
            listing.ignored[0],
        )
    return {source.id: source.uri for source in listing.images}


def _companion(sources: Mapping[str, str], uri: str | None, id: str) -> str | None:
    """The file that goes with ``id``; a missing one keeps its name, to fail when it is read."""
    if uri is None:
        return None
    return sources.get(id, f"{uri.rstrip('/')}/{id}.png")
