"""Label spaces of your own, described in YAML files.

name: my-streets
size: 512x256                # WIDTHxHEIGHT that the generator was trained for
instance_edges: true         # default: false
unknown: 255                 # value of pixels without a class; "unknown" becomes the last class
classes:                     # in the order of the generator's input channels
  - {name: road, value: 1, colour: [128, 64, 128]}
  - {name: sky, value: 7}    # colours default to those of PASCAL VOC

``name``, ``size`` and ``classes`` are required. Each class has its own name and its own value.
"""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Annotated, Self, TypeAlias

import numpy as np
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import ErrorDetails

from spadepis.configuration import (
    ConfigurationError,
    Size,
    parse_size,
    read_yaml,
    similar,
    what_fits,
)
from spadepis.labels.colours import pascal_colours
from spadepis.labels.label_space import LabelSpace
from spadepis.labels.published import LABEL_SPACES

YAML_SUFFIXES = frozenset((".yaml", ".yml"))
# Class indices have 8 bits.
MOST_CLASSES = 256
UNKNOWN = "unknown"

# Strict: YAML reads yes and no as truth values, which are no numbers.
Byte: TypeAlias = Annotated[int, Field(ge=0, le=255, strict=True)]


class _Class(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: str = Field(min_length=1)
    value: Byte
    colour: tuple[Byte, Byte, Byte] | None = None


class _LabelSpaceFile(BaseModel):
    # So that a size of one number is told what a size is.
    model_config = ConfigDict(extra="forbid", coerce_numbers_to_str=True)

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9_-]*$")
    size: Size
    instance_edges: bool = False
    unknown: Byte | None = None
    classes: list[_Class] = Field(min_length=1)

    @model_validator(mode="after")
    def _add_unknown(self) -> Self:
        if self.unknown is not None:
            self.classes.append(_Class(name=UNKNOWN, value=self.unknown, colour=(0, 0, 0)))
        return self

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        if self.name in LABEL_SPACES:
            raise ValueError(f"the name {self.name} is taken")
        if len(self.classes) > MOST_CLASSES:
            raise ValueError(f"more than {MOST_CLASSES} classes")
        for key in ("name", "value"):
            seen = [getattr(entry, key) for entry in self.classes]
            twice = [value for value in seen if seen.count(value) > 1]
            if twice:
                raise ValueError(f"two classes have the {key} {twice[0]}")
        return self


def read_label_space(uri: str) -> LabelSpace:
    """Read a label space from a YAML file, which is described at the top of this module.

    Args:
        uri: local path or fsspec URI.

    Raises:
        ConfigurationError: the file cannot be read or does not describe a label space.
    """
    content = read_yaml(uri)
    try:
        described = _LabelSpaceFile.model_validate(content)
    except ValidationError as error:
        problems = error.errors(include_url=False)
        raise ConfigurationError(f"{uri}: {'; '.join(map(_describe, problems))}") from error
    classes = described.classes
    colours = pascal_colours((index + 1) % MOST_CLASSES for index in range(len(classes)))
    for index, entry in enumerate(classes):
        if entry.colour is not None:
            colours[index] = entry.colour
    return LabelSpace(
        name=described.name,
        names=tuple(entry.name for entry in classes),
        colours=np.ascontiguousarray(colours),
        has_instance_edges=described.instance_edges,
        size=parse_size(described.size),
        published_values=tuple(entry.value for entry in classes),
    )


def find_label_space(name: str) -> LabelSpace:
    """The published label space of this name, or the one that a YAML file describes.

    Raises:
        ConfigurationError: the file cannot be read or does not describe a label space.
    """
    return LABEL_SPACES[name] if name in LABEL_SPACES else read_label_space(name)


def _describe(problem: ErrorDetails) -> str:
    place = ".".join(map(str, problem["loc"]))
    return f"{place}: {what_fits(problem)}" if place else what_fits(problem)


def _is_label_space(name: str) -> str:
    if name not in LABEL_SPACES and PurePosixPath(name).suffix not in YAML_SUFFIXES:
        known = ", ".join(LABEL_SPACES)
        hint = similar(name.lower(), LABEL_SPACES)
        raise ValueError(f"give one of {known}, or a YAML file (.yaml, .yml){hint}")
    return name


LABEL_SPACE_CHOICES = f"{', '.join(LABEL_SPACES)}, or the YAML file of a label space of your own"
"""What may be given for a label space, for help texts."""

LabelSpaceSetting: TypeAlias = Annotated[str, AfterValidator(_is_label_space)]
"""A setting that is the name of a label space or the path or URI of a YAML file."""
