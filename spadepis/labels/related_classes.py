"""Related classes: those similar enough to take each other's style, such as sea and river.

A YAML file lists groups of class names. No class is in two groups:

- [tree, bush, leaves]
- [sea, river]

The folder ``related`` holds the groups for the published label spaces.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib.resources import files
from typing import Any

from pydantic import TypeAdapter, ValidationError

from spadepis.configuration import ConfigurationError, read_yaml
from spadepis.labels.label_space import UNKNOWN_CLASSES, LabelSpace, no_such_class
from spadepis.labels.published import LABEL_SPACES

ALONE = "none"
UNKNOWN_REGION = -1

_GROUPS = TypeAdapter(list[list[str]])


def find_region_labels(space: LabelSpace, setting: str | None) -> tuple[int, ...]:
    """The region that each class belongs to, by class index; see ``region_labels``.

    Args:
        space: the label space that has the classes.
        setting: path or URI of a YAML file, "none" for each class on its own, or None for the
            groups that come with spadepis, which exist for published label spaces only.

    Raises:
        ConfigurationError: the file cannot be read or does not list groups of classes.
    """
    if setting is None:
        return region_labels(space, _default_groups(space))
    if setting == ALONE:
        return region_labels(space, [])
    content = read_yaml(setting)
    try:
        return region_labels(space, _GROUPS.validate_python(content, strict=True))
    except ValidationError as error:
        raise ConfigurationError(f"{setting} is not a list of lists of class names") from error
    except ConfigurationError as error:
        raise ConfigurationError(f"{setting}: {error}") from error


def region_labels(space: LabelSpace, groups: Sequence[Sequence[str]]) -> tuple[int, ...]:
    """The region of each class: the lowest class index of its group, -1 for unknown classes.

    Args:
        space: the label space that has the classes.
        groups: names of related classes. Every other class is a region of its own.

    Raises:
        ConfigurationError: a name is not that of a class, or is in two groups.
    """
    regions = list(range(space.num_classes))
    grouped: set[str] = set()
    for group in groups:
        for name in group:
            if name not in space.names:
                raise ConfigurationError(no_such_class(space, name))
            if name in grouped:
                raise ConfigurationError(f"{name} is listed twice")
            grouped.add(name)
        members = [space.names.index(name) for name in group]
        for index in members:
            regions[index] = min(members)
    for index, name in enumerate(space.names):
        if name in UNKNOWN_CLASSES:
            regions[index] = UNKNOWN_REGION
    return tuple(regions)


def _default_groups(space: LabelSpace) -> Any:
    if space.generator_space not in LABEL_SPACES:
        return []
    return read_yaml(str(files(__package__) / "related" / f"{space.generator_space}.yaml"))
