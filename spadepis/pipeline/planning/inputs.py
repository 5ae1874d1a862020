"""What a job has to work with: lists of label maps, photos and styles."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from spadepis.configuration import ConfigurationError
from spadepis.dataset.inputs.listing import Listing, SourceError, list_images
from spadepis.dataset.inputs.published_folders import LAYOUTS
from spadepis.dataset.storage.folder import Folder
from spadepis.pipeline.config.groups import InputSettings
from spadepis.pipeline.config.resolution import JobConfig
from spadepis.pipeline.scene import Style

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Inputs:
    """The inputs of a job; those that were not given are None.

    Attributes:
        scenes: the label maps, or the photos where photos are stylized; they give the ids.
        masks: label maps.
        instances: instance maps.
        photos: photos to stylize.
        styles: style photos.
        style_masks: label maps of the style photos.
    """

    scenes: Listing
    masks: Listing | None
    instances: Listing | None
    photos: Listing | None
    styles: Listing | None
    style_masks: Listing | None

    @property
    def style_ids(self) -> Sequence[str]:
        """All styles there are, sorted."""
        return [] if self.styles is None else sorted(self.styles.images)

    def style(self, id: str) -> Style:
        """The style of that id."""
        assert self.styles is not None
        # A label map that is missing fails the pairs of its style.
        mask_source = None if self.style_masks is None else self.style_masks.uri_of(id)
        return Style(id, self.styles.images[id], mask_source)

    @property
    def mask_sources(self) -> Mapping[str, str]:
        """Where the label map of each scene is, or would be."""
        assert self.masks is not None
        return {id: self.masks.uri_of(id) for id in self.scenes.images}


def list_inputs(config: JobConfig) -> Inputs:
    """List the inputs of a job; no input file is opened, of shards the index.

    Raises:
        ConfigurationError: an input folder is missing or empty or cannot be listed, a shard is
            damaged, or a dataset is not laid out as published.
    """
    job, given = config.job, config.inputs
    output = Folder(config.output.output).uri
    masks = _list("masks", given.masks, given, output)
    instances = _list("instances", given.instances, given, output)
    photos = _list("photos", given.photos, given, output)
    styles = _list("styles", config.styles.styles, given, output)
    style_masks = _list("style_masks", config.styles.style_masks, given, output)
    if config.label_space.has_instance_edges and job.synthesizes and instances is None:
        log.warning("no --instances: the borders between classes serve as instance edges")
    scenes = masks if job.synthesizes else photos
    assert scenes is not None
    return Inputs(scenes, masks, instances, photos, styles, style_masks)


def _list(kind: str, uri: str | None, given: InputSettings, output: str) -> Listing | None:
    """List the inputs at a URI, if there is one."""
    if uri is None:
        return None
    try:
        listing = list_images(uri, exclude=output)
    except SourceError as error:
        raise ConfigurationError(f"{error}{_expected(kind, given)}") from error
    if listing.ignored:
        log.warning(
            "%s: left out, not named like an image: %d of the files, e.g. %s",
            uri,
            len(listing.ignored),
            listing.ignored[0],
        )
    return listing


def _expected(kind: str, given: InputSettings) -> str:
    """Where an input of a published dataset should be, for people."""
    if given.dataset is None or given.root is None:
        return ""
    layout = LAYOUTS[given.dataset]
    return f"; {layout.mismatch(given.root)}" if kind in layout.paths else ""
