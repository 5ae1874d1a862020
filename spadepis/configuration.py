"""Configurations of commands: validated settings behind command-line flags and YAML files."""

from __future__ import annotations

import argparse
import difflib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, ClassVar, TypeAlias, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    ValidationError,
    field_validator,
)
from pydantic_core import ErrorDetails

# The JSON Schema of a setting.
Schema = Mapping[str, Any]

# What an error of pydantic asks for, by its type; other errors speak for themselves.
EXPECTED: Mapping[str, str] = {
    "bool_parsing": "give true or false",
    "bool_type": "give true or false",
    "extra_forbidden": "there is no such key",
    "float_parsing": "give a number",
    "float_type": "give a number",
    "greater_than": "give more than {gt}",
    "greater_than_equal": "give {ge} or more",
    "int_from_float": "give a whole number",
    "int_parsing": "give a whole number",
    "int_type": "give a whole number",
    "less_than": "give less than {lt}",
    "less_than_equal": "give {le} or less",
    "list_type": "give a list",
    "literal_error": "give {expected}",
    "missing": "this setting is required",
    "model_type": "give a mapping from keys to values",
    "multiple_of": "give a multiple of {multiple_of}",
    "path_type": "give a path",
    "string_type": "give text",
    "too_long": "give {max_length} values",
    "tuple_type": "give a list",
}


class ConfigurationError(ValueError):
    """A configuration that cannot be run, with the reason in one line."""


class Configuration(BaseModel):
    """Settings. Each of them is a flag, and a key of the YAML file that ``--config`` names.

    Attributes:
        program: the command in ``--help``. Default: the file that is run.
    """

    program: ClassVar[str | None] = None

    # Version 0.2 kept numbers in the commands of image sets where a setting is a text.
    model_config = ConfigDict(
        extra="forbid", frozen=True, use_attribute_docstrings=True, coerce_numbers_to_str=True
    )

    @field_validator("*", mode="before")
    @classmethod
    def _is_usable_text(cls, value: Any) -> Any:
        if isinstance(value, str):
            if not value.strip():
                # As of a shell variable that is not set. An empty path would be this folder.
                raise ValueError("it is empty")
            # Bytes of an argument that are not UTF-8 come as lone surrogates, which no file takes.
            value.encode()
        return value


Settings = TypeVar("Settings", bound=Configuration)


@dataclass(frozen=True)
class Command:
    """A command, with the settings that its flags and YAML files may give.

    Attributes:
        name: name of the command.
        description: one line for ``--help``.
        sections: the JSON Schema of each setting by its name, under the headings of ``--help``.
        elsewhere: the commands that have a setting which this one does not have.
        program: the command in ``--help``. Default: the file that is run.
    """

    name: str
    description: str
    sections: Mapping[str, Mapping[str, Schema]]
    elsewhere: Mapping[str, Sequence[str]] = field(default_factory=dict)
    program: str | None = None

    @property
    def settings(self) -> Mapping[str, Schema]:
        """All settings by name."""
        return {name: schema for part in self.sections.values() for name, schema in part.items()}

    def refuse(self, name: str, spelling: str) -> None:
        """Check that there is a setting of this name.

        Args:
            name: name of the setting, with underscores.
            spelling: how the user wrote it.

        Raises:
            ConfigurationError: the command does not have this setting. The message suggests a
                similar one, and names the commands that have it.
        """
        if name in self.settings:
            return
        if name in self.elsewhere:
            raise ConfigurationError(f"{self.name} takes no {spelling}{self._owners(name)}")
        close = difflib.get_close_matches(name, [*self.settings, *self.elsewhere], n=1)
        spelt = spelling.replace(spelling.lstrip("-"), "")
        shown = [flag(found) if spelt else found for found in close]
        hint = f" (did you mean {shown[0]}{self._owners(close[0])}?)" if close else ""
        raise ConfigurationError(f"{spelling} is no setting of {self.name}{hint}")

    def _owners(self, name: str) -> str:
        owners = self.elsewhere.get(name, ())
        return f", a setting of {' and '.join(owners)}" if owners else ""


def parse_settings(settings: type[Settings], arguments: Sequence[str]) -> Settings:
    """The settings from command-line flags and the YAML file that ``--config`` names.

    Raises:
        ConfigurationError: an unknown flag or key, or a value that does not fit.
    """
    description = (settings.__doc__ or "").partition("\n")[0]
    schemas = settings.model_json_schema()["properties"]
    command = Command("this command", description, {"Settings": schemas}, program=settings.program)
    try:
        return settings.model_validate(read_values(command, arguments))
    except ValidationError as error:
        raise ConfigurationError("; ".join(explain(error))) from error


def read_values(command: Command, arguments: Sequence[str]) -> dict[str, Any]:
    """The values that flags and the YAML file of ``--config`` give, not yet validated.

    Flags win over the file.

    Raises:
        ConfigurationError: an unknown flag or key, or a file that cannot be read.
        SystemExit: ``--help`` was given; the text has been printed.
    """
    parser = parser_of_settings(command)
    try:
        parsed, unknown = parser.parse_known_args(list(arguments))
    except argparse.ArgumentError as error:
        raise ConfigurationError(str(error).removeprefix("argument ")) from error
    for argument in unknown:
        if not argument.startswith("--"):
            raise ConfigurationError(f"unexpected argument {argument!r}")
        spelling = argument.partition("=")[0]
        name = spelling.lstrip("-").removeprefix("no-").replace("-", "_")
        command.refuse(name, spelling)
        # Like --dry_run, or --no-limit.
        hint = f"did you mean {flag(name)}?"
        raise ConfigurationError(f"{spelling} is no setting of {command.name} ({hint})")
    given = vars(parsed)
    uri = given.pop("config", None)
    values = {} if uri is None else _read_settings(command, uri)
    for name, value in given.items():
        # A list is given by one flag with commas, or by several flags.
        is_list = isinstance(value, list)
        values[name] = [item for part in value for item in part.split(",")] if is_list else value
    return values


def parser_of_settings(command: Command) -> argparse.ArgumentParser:
    """The parser of the flags of a command."""
    parser = argparse.ArgumentParser(
        prog=command.program,
        description=command.description,
        usage="%(prog)s [--config FILE] [--SETTING VALUE ...]",
        argument_default=argparse.SUPPRESS,
        allow_abbrev=False,
        exit_on_error=False,
    )
    parser.add_argument(
        "--config", metavar="FILE", help="YAML file with any of these settings; flags win over it"
    )
    for heading, settings in command.sections.items():
        group = parser.add_argument_group(heading)
        for name, schema in settings.items():
            group.add_argument(flag(name), help=_help(schema), **_value(schema))
    return parser


def read_yaml(uri: str, numbers_as_text: bool = False) -> Any:
    """The content of a YAML file.

    Args:
        uri: local path or fsspec URI.
        numbers_as_text: whether numbers and dates are texts, as flags give them.

    Raises:
        ConfigurationError: the file cannot be read or is not YAML, or a key occurs twice in it.
    """
    # These take a while to import, and most commands need none of them.
    import fsspec
    import yaml

    from spadepis.filesystem_errors import filesystem_errors, reason
    from spadepis.strict_yaml import parse

    try:
        # A local name may hold "::", with which fsspec chains filesystems.
        with fsspec.open(uri, "rb") if "://" in uri else open(uri, "rb") as file:
            return parse(file.read(), numbers_as_text)
    except filesystem_errors() as error:
        raise ConfigurationError(f"{uri} cannot be read: {reason(error)}{_moved(uri)}") from error
    except ImportError as error:
        # The package of its filesystem is missing.
        raise ConfigurationError(f"{uri} cannot be read: {error}") from error
    except yaml.YAMLError as error:
        raise ConfigurationError(f"{uri} is not YAML: {' '.join(str(error).split())}") from error


# Of a result, as of an input with the largest --max-pixels.
MOST_PIXELS = 80_000_000


def parse_size(text: str) -> tuple[int, int]:
    """Height and width from the text WIDTHxHEIGHT.

    Raises:
        ValueError: the text has another form.
    """
    width, _, height = text.partition("x")
    if not (width.isdecimal() and height.isdecimal() and int(width) and int(height)):
        raise ValueError("give WIDTHxHEIGHT, e.g. 512x256")
    if int(width) * int(height) > MOST_PIXELS:
        raise ValueError(f"give at most {MOST_PIXELS} pixels")
    return int(height), int(width)


def _is_size(text: str) -> str:
    parse_size(text)
    return text


Size: TypeAlias = Annotated[str, AfterValidator(_is_size)]
"""A setting of the form WIDTHxHEIGHT, see ``parse_size``."""


def _is_local(path: Path | str) -> Path | str:
    if "://" in str(path):
        raise ValueError("give a path on this machine")
    return path


LocalPath: TypeAlias = Annotated[Path, BeforeValidator(_is_local)]
"""A setting that is the path of a file or folder on this machine; it cannot be a URI."""


def _joined(value: object) -> object:
    return ",".join(map(str, value)) if isinstance(value, list) else value


CommaSeparated: TypeAlias = Annotated[str, BeforeValidator(_joined)]
"""A setting of several parts with commas between them, which may be a list in a YAML file."""


def similar(name: str, names: Iterable[str], most: int = 1) -> str:
    """A question in parentheses: whether one of the most similar names was meant, if any is."""
    close = difflib.get_close_matches(name, names, n=most)
    return f" (did you mean {' or '.join(close)}?)" if close else ""


def flag(name: str) -> str:
    """The flag of the setting of that name."""
    return "--" + name.replace("_", "-")


def explain(error: ValidationError) -> Iterator[str]:
    """One sentence for each value that does not fit: the flag, the value, and what to give."""
    expected: dict[str, list[str]] = {}
    for details in error.errors(include_url=False):
        value, what = _explain(details)
        expected.setdefault(value, []).append(what)
    # A setting may have values of several kinds.
    joined = {value: ", or ".join(kinds) for value, kinds in expected.items()}
    return (f"{value}: {what}" if value else what for value, what in joined.items())


def kind_of(schema: Schema) -> Schema:
    """The JSON Schema of a setting's value, where the setting may also be left open."""
    kinds: list[Schema] = schema.get("anyOf", [schema])
    return next(kind for kind in kinds if kind.get("type") != "null")


def _value(schema: Schema) -> dict[str, Any]:
    """How argparse takes a setting's value; text is converted when it is validated."""
    kind = kind_of(schema)
    if kind.get("type") == "boolean":
        return {"action": argparse.BooleanOptionalAction}
    if kind.get("type") == "array":
        return {"action": "append", "metavar": "A,B,..."}
    if "enum" in kind:
        return {"metavar": "{" + ",".join(kind["enum"]) + "}"}
    return {"metavar": {"integer": "N", "number": "X"}.get(kind.get("type", ""), "TEXT")}


def _help(schema: Schema) -> str:
    text = " ".join(schema.get("description", "").split()).replace("%", "%%")
    default = schema.get("default")
    if default in (None, "", []):
        return text
    shown = {True: "on", False: "off"}[default] if isinstance(default, bool) else default
    shown = ",".join(map(str, shown)) if isinstance(shown, list) else shown
    return f"{text} (default: {shown})"


def _read_settings(command: Command, uri: str) -> dict[str, Any]:
    """The settings in a YAML file."""
    content = read_yaml(uri, numbers_as_text=True) or {}
    if not isinstance(content, dict):
        raise ConfigurationError(f"{uri} is not a mapping from settings to values")
    # Keys may also be spelt like the flags.
    values = {str(key).replace("-", "_"): value for key, value in content.items()}
    if len(values) < len(content):
        raise ConfigurationError(f"{uri} gives a setting twice, once with - and once with _")
    for name in values:
        try:
            command.refuse(name, name)
        except ConfigurationError as error:
            raise ConfigurationError(f"{uri}: {error}") from error
        if isinstance(values[name], bool) and kind_of(command.settings[name])["type"] != "boolean":
            # Else it would count as 1 or 0.
            raise ConfigurationError(
                f"{uri}: {name} is no switch; YAML reads yes, no, on and off as true and false: "
                "put a text into quotes"
            )
    return values


def _moved(uri: str) -> str:
    """Where a file is that was moved into the folder ``presets`` beside it."""
    path = Path(uri)
    preset = path.parent / "presets" / path.name
    return f"; it is {preset} now" if not path.exists() and preset.exists() else ""


def what_fits(details: ErrorDetails) -> str:
    """What to give in place of a value that does not fit."""
    context = details.get("ctx", {})
    if details["type"] == "value_error":
        error = context["error"]
        return "it is not UTF-8" if isinstance(error, UnicodeEncodeError) else str(error)
    if details["type"] == "missing" and isinstance(details["loc"][-1], int):
        return "give more values"
    if details["type"] in EXPECTED:
        return EXPECTED[details["type"]].format(**context)
    return details["msg"][0].lower() + details["msg"][1:]


def _explain(details: ErrorDetails) -> tuple[str, str]:
    """The flag with the value, and what to give."""
    if not details["loc"]:
        # It is about several settings, which the sentence names.
        return "", what_fits(details)
    name, value = str(details["loc"][0]), details["input"]
    # A missing setting's "input" is all the others.
    shown = f" {value}".rstrip() if isinstance(value, str | int | float) else ""
    return f"{flag(name)}{shown}", what_fits(details)
