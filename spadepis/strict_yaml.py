"""YAML without its traps: a key that occurs twice is an error, 010 is ten, and 1:30 a text."""

from __future__ import annotations

import re
from collections.abc import Hashable
from typing import Any

import yaml

_INTEGER = "tag:yaml.org,2002:int"
_MERGE = "tag:yaml.org,2002:merge"
_DECIMAL = re.compile(r"[-+]?[0-9][0-9_]*")


class _Loader(yaml.SafeLoader):
    """Reads what ``yaml.SafeLoader`` reads, but for these three things."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        """Refuse a key that an earlier one would silently have been replaced by."""
        seen: set[str] = set()
        for key, _ in node.value:
            # Several mappings may be merged into one.
            if not isinstance(key, yaml.ScalarNode) or key.tag == _MERGE:
                continue
            if key.value in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {key.value} occurs twice", key.start_mark
                )
            seen.add(key.value)
        return super().construct_mapping(node, deep)

    def construct_integer(self, node: yaml.ScalarNode) -> int | str:
        """As in YAML 1.2: a leading 0 makes no number octal, and digits with a colon are text."""
        text = str(self.construct_scalar(node))
        if ":" in text:
            return text
        if _DECIMAL.fullmatch(text):
            return int(text.replace("_", ""))
        return int(self.construct_yaml_int(node))


_Loader.add_constructor(_INTEGER, _Loader.construct_integer)


class _TextLoader(_Loader):
    """Leaves numbers and dates as they are spelt."""

    def construct_text(self, node: yaml.ScalarNode) -> str:
        """The text of a scalar, whatever it looks like."""
        return str(self.construct_scalar(node))


for _kind in ("int", "float", "timestamp"):
    _TextLoader.add_constructor(f"tag:yaml.org,2002:{_kind}", _TextLoader.construct_text)


def parse(content: bytes, numbers_as_text: bool = False) -> Any:
    """The content of a YAML file.

    Args:
        content: the file.
        numbers_as_text: whether numbers and dates are texts: 010 is "010", and 1.50 is "1.50".

    Raises:
        yaml.YAMLError: it is not YAML, or a key occurs twice in a mapping.
    """
    return yaml.load(content, _TextLoader if numbers_as_text else _Loader)
