"""What a job is to do: every mask with its styles, and what of it is still missing."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from itertools import islice

from spadepis.configuration import ConfigurationError
from spadepis.dataset.folder import Folder
from spadepis.dataset.layouts import LAYOUTS
from spadepis.dataset.pairing import PairingError, random_styles, read_pairs
from spadepis.dataset.sources import Listing, SourceError, list_images
from spadepis.pipeline.config import INPUTS, Job, JobConfig, with_dataset
from spadepis.pipeline.scene import Scene, Style

log = logging.getLogger(__name__)
# Of each mask, so that a threshold that nothing meets does not try all styles.
MOST_REPLACEMENTS = 8


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


def make_plan(
    job: Job, config: JobConfig, rejected: Collection[tuple[str, str | None]] = ()
) -> Plan:
    """List the inputs of a job and pair them; no input file is opened, of shards the index.

    Args:
        job: what is made.
        config: names the inputs.
        rejected: (mask, style) pairs for which other styles are drawn, a few of each mask.

    Raises:
        ConfigurationError: an input folder is missing or empty, cannot be listed or has too few
            styles, a shard is damaged, a dataset is not laid out as published, or no id is wanted.
    """
    config = with_dataset(job, config)
    output = Folder(config.output).uri
    masks, instances, photos, styles = (_list(kind, config, output) for kind in INPUTS)
    style_ids = [] if styles is None else sorted(styles.images)
    if config.space.has_instance_edges and job.synthesizes and instances is None:
        log.warning("no --instances: the borders between classes serve as instance edges")

    inputs = masks if job.synthesizes else photos
    assert inputs is not None
    ids = list(inputs.images)
    styles_of = _pairing(config, ids, style_ids, rejected) if styles is not None else None

    def scene(id: str) -> Scene:
        drawn = [Style(None, None)]
        if styles is not None and styles_of is not None:
            drawn = [Style(style_id, styles.images[style_id]) for style_id in styles_of(id)]
        # A label map or instance map that is missing fails its scene when it is read.
        return Scene(
            id,
            drawn,
            mask_source=None if masks is None else masks.uri_of(id),
            instance_source=None if instances is None else instances.uri_of(id),
            photo_source=None if photos is None else photos.uri_of(id),
        )

    with_styles = (scene for scene in map(scene, _wanted(ids, config.where)) if scene.styles)
    return Plan(list(islice(with_styles, config.limit)), style_ids)


def _wanted(ids: Sequence[str], where: str | None) -> Sequence[str]:
    """The ids that are like one of the globs, which have commas between them."""
    if where is None:
        return ids
    globs = [glob.strip() for glob in where.split(",")]
    wanted = [id for id in ids if any(fnmatchcase(id, glob) for glob in globs)]
    if not wanted:
        raise ConfigurationError(f"--where {where}: none of {len(ids)} ids, e.g. {ids[0]}")
    return wanted


def _pairing(
    config: JobConfig,
    ids: Sequence[str],
    style_ids: Sequence[str],
    rejected: Collection[tuple[str, str | None]],
) -> Callable[[str], Sequence[str]]:
    """What gives the styles of a mask."""
    if config.pairing == "all":
        return lambda id: style_ids
    if config.pairing == "table":
        pairs = _read_table(str(config.pairing_table), ids, style_ids)
        return lambda id: pairs.get(id, ())
    if len(style_ids) < config.styles_per_mask:
        raise ConfigurationError(
            f"--styles-per-mask {config.styles_per_mask}: {config.styles} holds {len(style_ids)}"
        )
    replaced: dict[str, list[str | None]] = defaultdict(list)
    for mask_id, style_id in sorted(rejected, key=str):
        replaced[mask_id].append(style_id)

    def draw(id: str) -> Sequence[str]:
        count = config.styles_per_mask
        tried = replaced[id][:MOST_REPLACEMENTS] if id in replaced else ()
        ranked = random_styles(id, style_ids, min(len(style_ids), count + len(tried)), config.seed)
        others = [style_id for style_id in ranked if style_id not in tried]
        # The rejected ones stay part of the plan: they are settled.
        return [*(style_id for style_id in tried if style_id is not None), *others[:count]]

    return draw


def _read_table(
    uri: str, ids: Sequence[str], style_ids: Sequence[str]
) -> Mapping[str, Sequence[str]]:
    """The table of pairs, all of them there."""
    try:
        pairs = read_pairs(uri)
    except PairingError as error:
        raise ConfigurationError(str(error)) from error
    asked = {style_id for chosen in pairs.values() for style_id in chosen}
    for name, unknown in (("mask", pairs.keys() - set(ids)), ("style", asked - set(style_ids))):
        if unknown:
            raise ConfigurationError(
                f"{uri}: {len(unknown)} {name} ids are not there, e.g. {min(unknown)!r}"
            )
    return pairs


def _list(kind: str, config: JobConfig, output: str) -> Listing | None:
    """List the inputs of that setting, if it is given."""
    uri: str | None = getattr(config, kind)
    if uri is None:
        return None
    try:
        listing = list_images(uri, exclude=output)
    except SourceError as error:
        raise ConfigurationError(f"{error}{_expected(kind, config)}") from error
    if listing.ignored:
        log.warning(
            "%s: left out, not named like an image: %d of the files, e.g. %s",
            uri,
            len(listing.ignored),
            listing.ignored[0],
        )
    return listing


def _expected(kind: str, config: JobConfig) -> str:
    """Of an input that is a published dataset's, where it should be, for people."""
    if config.dataset is None or config.root is None:
        return ""
    layout = LAYOUTS[config.dataset]
    return f"; {layout.mismatch(config.root)}" if kind in layout.paths else ""
