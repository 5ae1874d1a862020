"""The plan of a job: every mask with its styles, and the part that is still missing."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import islice

from spadepis.configuration import ConfigurationError
from spadepis.dataset.ids import composed, matches
from spadepis.matching.pairing import PairingError, random_styles, read_pairs
from spadepis.pipeline.config.resolution import JobConfig
from spadepis.pipeline.planning.inputs import Inputs
from spadepis.pipeline.scene import Scene, Style

# The most styles that are replaced for one mask. If nothing meets a threshold, not all styles are
# tried.
MOST_REPLACEMENTS = 8


@dataclass(frozen=True)
class Plan:
    """The work of a job.

    Attributes:
        scenes: one for each mask (or photo), with the styles to be done.
    """

    scenes: Sequence[Scene]

    @property
    def pairs(self) -> int:
        """The number of results to be made."""
        return sum(len(scene.styles) + scene.choices for scene in self.scenes)

    def has(self, id: str, style_id: str | None) -> bool:
        """Whether a pair of mask and style is among those to be made, or may be chosen."""
        scene = self._by_id.get(id)
        if scene is None:
            return False
        return bool(scene.choices) or style_id in [style.id for style in scene.styles]

    @cached_property
    def _by_id(self) -> Mapping[str, Scene]:
        return {scene.id: scene for scene in self.scenes}

    def without(self, settled: Collection[tuple[str, str | None]]) -> Plan:
        """The part of the plan that is not among the (mask, style) pairs of ``settled``."""
        settled_styles: dict[str, list[str | None]] = defaultdict(list)
        if any(scene.choices for scene in self.scenes):
            for mask_id, style_id in settled:
                settled_styles[mask_id].append(style_id)

        def left(scene: Scene) -> Scene:
            if not scene.choices:
                styles = [style for style in scene.styles if (scene.id, style.id) not in settled]
                return replace(scene, styles=styles)
            chosen = settled_styles.get(scene.id, [])
            # One row without a style stands for a scene that failed before any was chosen.
            choices = 0 if None in chosen else max(0, scene.choices - len(chosen))
            passed_over = sorted(style_id for style_id in chosen if style_id is not None)
            return replace(scene, choices=choices, passed_over=passed_over)

        return Plan([scene for scene in map(left, self.scenes) if scene.is_waiting])


def make_plan(
    config: JobConfig,
    inputs: Inputs,
    rejected: Collection[tuple[str, str | None]] = (),
    classes: Mapping[str, Collection[str] | None] | None = None,
) -> Plan:
    """Pair masks (or photos) with styles.

    Args:
        config: the configuration, which says how they are paired.
        inputs: the lists of masks, photos and styles.
        rejected: (mask, style) pairs for which other styles are drawn, a few of each mask.
        classes: names of the classes in each label map, None for one that cannot be read; needed
            where only scenes with some classes are wanted.

    Raises:
        ConfigurationError: there are too few styles, a table of pairs cannot be used, or no scene
            is wanted.
    """
    ids, style_ids = list(inputs.scenes.images), inputs.style_ids
    count, chosen = config.styles.styles_per_mask, config.styles.pairing in ("random", "match")
    if inputs.styles is not None and chosen and count > len(style_ids):
        raise ConfigurationError(
            f"--styles-per-mask {count}: {config.styles.styles} holds {len(style_ids)} styles"
        )
    replaced = _replaced(rejected)
    matched = config.styles.pairing == "match"
    styles_of = None
    if inputs.styles is not None and not matched:
        styles_of = _pairing(config, ids, style_ids, replaced)

    def scene(id: str) -> Scene:
        drawn = [Style(None, None)]
        if inputs.styles is not None:
            drawn = [inputs.style(style_id) for style_id in styles_of(id)] if styles_of else []
        choices = count + len(replaced.get(id, ())) if matched else 0
        # A label map or instance map that is missing fails its scene when it is read.
        return Scene(
            id,
            drawn,
            mask_source=None if inputs.masks is None else inputs.masks.uri_of(id),
            instance_source=None if inputs.instances is None else inputs.instances.uri_of(id),
            photo_source=None if inputs.photos is None else inputs.photos.uri_of(id),
            choices=min(choices, len(style_ids)),
        )

    wanted = wanted_ids(config, ids)
    if config.wanted_classes and classes is not None:
        wanted = _with_classes(wanted, config, classes)
    with_styles = (scene for scene in map(scene, wanted) if scene.is_waiting)
    return Plan(list(islice(with_styles, config.inputs.limit)))


def wanted_ids(config: JobConfig, ids: Sequence[str]) -> Sequence[str]:
    """The ids that match one of the globs of ``where``; without globs all of them.

    Raises:
        ConfigurationError: there are none.
    """
    globs = config.id_globs
    if globs is None:
        return ids
    wanted = [id for id in ids if matches(id, globs)]
    if not wanted:
        raise ConfigurationError(
            f"--where {config.inputs.where} matches none of {len(ids)} ids, e.g. {ids[0]}"
        )
    return wanted


def _with_classes(
    ids: Sequence[str], config: JobConfig, classes: Mapping[str, Collection[str] | None]
) -> Sequence[str]:
    """The ids of scenes that have all wanted classes, and of those whose label map is bad.

    These fail when they are read, rather than being passed over in silence.
    """
    wanted = set(config.wanted_classes)

    def is_wanted(id: str) -> bool:
        found = classes[id]
        return found is None or wanted <= set(found)

    chosen = [id for id in ids if is_wanted(id)]
    if not chosen:
        names = " and ".join(sorted(wanted))
        raise ConfigurationError(f"--containing-classes: none of {len(ids)} label maps has {names}")
    return chosen


def _pairing(
    config: JobConfig,
    ids: Sequence[str],
    style_ids: Sequence[str],
    replaced: Mapping[str, Sequence[str]],
) -> Callable[[str], Sequence[str]]:
    """The function that gives the styles of a mask."""
    if config.styles.pairing == "all":
        return lambda id: style_ids
    if config.styles.pairing == "table":
        pairs = _read_table(str(config.styles.pairing_table), ids, style_ids)
        return lambda id: pairs.get(id, ())

    def draw(id: str) -> Sequence[str]:
        count = config.styles.styles_per_mask
        tried = replaced.get(id, ())
        ranked = random_styles(
            id, style_ids, min(len(style_ids), count + len(tried)), config.output.seed
        )
        others = [style_id for style_id in ranked if style_id not in tried]
        # The rejected ones stay part of the plan: they are settled.
        return [*tried, *others[:count]]

    return draw


def _replaced(rejected: Collection[tuple[str, str | None]]) -> Mapping[str, Sequence[str]]:
    """The rejected styles of each mask, in place of which others are drawn."""
    styles: dict[str, list[str]] = defaultdict(list)
    for mask_id, style_id in rejected:
        if style_id is not None:
            styles[mask_id].append(style_id)
    return {mask_id: sorted(tried)[:MOST_REPLACEMENTS] for mask_id, tried in styles.items()}


def _read_table(
    uri: str, ids: Sequence[str], style_ids: Sequence[str]
) -> Mapping[str, Sequence[str]]:
    """The table of pairs, checked to name only masks and styles that exist."""
    try:
        pairs = read_pairs(uri)
    except PairingError as error:
        raise ConfigurationError(str(error)) from error
    scenes, styles = ({composed(id): id for id in known} for known in (ids, style_ids))
    asked = {composed(style_id) for chosen in pairs.values() for style_id in chosen}
    for name, unknown in (
        ("mask", set(map(composed, pairs)) - scenes.keys()),
        ("style", asked - styles.keys()),
    ):
        if unknown:
            raise ConfigurationError(
                f"{uri}: {len(unknown)} {name} ids do not exist, e.g. {min(unknown)!r}"
            )
    chosen_by: dict[str, dict[str, None]] = defaultdict(dict)
    for id, chosen in pairs.items():
        chosen_by[scenes[composed(id)]] |= {styles[composed(style_id)]: None for style_id in chosen}
    return {id: list(chosen) for id, chosen in chosen_by.items()}
