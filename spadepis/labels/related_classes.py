"""Which classes are alike enough for one to take the style of the other: sea and river.

A YAML file of groups of class names, no class in two of them:

- [tree, bush, leaves]
- [sea, river]

In the folder ``related`` are those of the published label spaces.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib.resources import files
from typing import Any

import yaml
from pydantic import TypeAdapter, ValidationError

from spadepis.configuration import ConfigurationError
from spadepis.dataset import storage
from spadepis.dataset.storage.errors import reason
from spadepis.labels import LABEL_SPACES, LabelSpace
from spadepis.labels.custom import no_such_class

__all__ = ["UNKNOWN_REGION", "find_region_labels", "region_labels"]

ALONE = "none"
UNKNOWN_REGION = -1
# What is under them is not said, so that two of them need not be alike.
UNKNOWN_CLASSES = frozenset(("unknown", "unlabeled", "rectification border", "out of roi"))

_GROUPS = TypeAdapter(list[list[str]])


def find_region_labels(space: LabelSpace, setting: str | None) -> tuple[int, ...]:
    """The region that each class belongs to, by class index; see ``region_labels``.

    Args:
        space: has the classes.
        setting: path or URI of a YAML file, "none" for each class on its own, or None for the
            groups that come with spadepis, of which own label spaces have none.

    Raises:
        ConfigurationError: the file cannot be read, or what is wrong in it.
    """
    if setting is None:
        return region_labels(space, _default_groups(space))
    if setting == ALONE:
        return region_labels(space, [])
    try:
        groups = _GROUPS.validate_python(yaml.safe_load(storage.read(setting)), strict=True)
        return region_labels(space, groups)
    except OSError as error:
        raise ConfigurationError(f"{setting} cannot be read ({reason(error)})") from error
    except yaml.YAMLError as error:
        raise ConfigurationError(
            f"{setting} is not YAML: {' '.join(str(error).split())}"
        ) from error
    except ValidationError as error:
        raise ConfigurationError(f"{setting}: no list of lists of class names") from error
    except ConfigurationError as error:
        raise ConfigurationError(f"{setting}: {error}") from error


def region_labels(space: LabelSpace, groups: Sequence[Sequence[str]]) -> tuple[int, ...]:
    """The region of each class: the lowest class index of its group, -1 for unknown classes.

    Args:
        space: has the classes.
        groups: names of related classes; the others are each on their own.

    Raises:
        ConfigurationError: a name is no class, or in two groups.
    """
    regions = list(range(space.num_classes))
    grouped: set[str] = set()
    for group in groups:
        for name in group:
            if name not in space.names:
                raise ConfigurationError(no_such_class(space, name))
            if name in grouped:
                raise ConfigurationError(f"{name} is there twice")
            grouped.add(name)
        members = [space.names.index(name) for name in group]
        for index in members:
            regions[index] = min(members)
    for index, name in enumerate(space.names):
        if name in UNKNOWN_CLASSES:
            regions[index] = UNKNOWN_REGION
    return tuple(regions)


def _default_groups(space: LabelSpace) -> Any:
    if space.name not in LABEL_SPACES:
        return []
    return yaml.safe_load(
        (files(__package__) / "related" / f"{space.name}.yaml").read_text("utf-8")
    )
