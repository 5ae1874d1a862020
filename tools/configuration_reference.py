"""The reference of settings, ``docs/configuration.md``, from the configuration object."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from spadepis.configuration import flag
from spadepis.pipeline.config.settings import FOREIGN, REQUIRED, Job, JobConfig

# A setting not named here is in the group of the one before it.
GROUP_STARTS = {
    "config": "All settings at once",
    "masks": "Inputs",
    "output": "The image set",
    "label_space": "Inputs",
    "pairing": "Styles of each mask (or photo)",
    "spade_checkpoint": "Networks",
    "limit": "Inputs",
    "seed": "Styles of each mask (or photo)",
    "size": "Sizes",
    "output_format": "The image set",
    "quality": "Quality and failures",
    "s3_endpoint": "Storage",
    "device": "Machines",
}
HEAD = """\
# Settings of the jobs

Every setting is a flag of `jobs/synthesize.py`, `jobs/stylize.py` and
`jobs/synthesize_and_stylize.py` (*both*), and a key of the YAML file that `--config` names, spelt
with `_` or `-`. An unknown key is an error, and so is a setting that means nothing to the job.

● the job needs it, where `--dataset` does not fill it in; ○ the job takes it. `--[no-]name` is a
switch: `--name` or `--no-name`, in YAML `true` or `false`. The other jobs list their settings with
`--help`.

<!-- Do not edit: written by python -m tools.configuration_reference. -->
"""
COLUMNS = ("setting", "value", "default", "synthesize", "stylize", "both", "what it is")
TYPES = {"string": "text", "integer": "integer", "number": "number", "boolean": "switch"}
LIMITS = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}

# Of a setting, as JSON Schema has it.
Schema = Mapping[str, Any]


def configuration_reference() -> str:
    """The reference of all settings of the jobs, Markdown."""
    settings: Mapping[str, Schema] = JobConfig.model_json_schema()["properties"]
    groups: dict[str, dict[str, Schema]] = {}
    group = ""
    for name, schema in settings.items():
        group = GROUP_STARTS.get(name, group)
        groups.setdefault(group, {})[name] = schema
    sections = [f"## {group}\n\n{_table(members)}" for group, members in groups.items()]
    return "\n".join([HEAD, *sections])


def _table(settings: Mapping[str, Schema]) -> str:
    rows: list[Iterable[str]] = [COLUMNS, ["---"] * len(COLUMNS)]
    rows += [_row(name, schema) for name, schema in settings.items()]
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def _row(name: str, schema: Schema) -> list[str]:
    value = _value(schema)
    shown = flag(name).replace("--", "--[no-]") if value == "switch" else flag(name)
    uses = [_use(name, job) for job in (Job.SYNTHESIZE, Job.STYLIZE, Job.SYNTHESIZE_AND_STYLIZE)]
    description = " ".join(schema["description"].split()).replace("*", r"\*").replace("|", r"\|")
    return [f"`{shown}`", value, _default(schema), *uses, description]


def _use(name: str, job: Job) -> str:
    """The mark for what a job does with a setting."""
    if name in REQUIRED[job] or JobConfig.model_fields[name].is_required():
        return "●"
    return "" if name in FOREIGN[job] else "○"


def _value(schema: Schema) -> str:
    """What may be given: one of some choices, or a type with its limits."""
    for kind in schema.get("anyOf", [schema]):
        if "enum" in kind:
            return ", ".join(f"`{choice}`" for choice in kind["enum"])
        if kind["type"] != "null":
            limits = [f"{sign} {kind[key]}" for key, sign in LIMITS.items() if key in kind]
            return f"{TYPES[kind['type']]} {', '.join(limits)}".rstrip()
    raise ValueError(f"no value fits {schema}")


def _default(schema: Schema) -> str:
    default = schema.get("default")
    if isinstance(default, bool):
        return "on" if default else "off"
    return "" if default is None else f"`{default}`"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        f"python -m {__spec__.name}", description="Write the reference of the jobs' settings."
    )
    reference = Path(__file__).parents[1] / "docs" / "configuration.md"
    parser.add_argument("--output", type=Path, default=reference, help="docs/configuration.md")
    parser.parse_args().output.write_text(configuration_reference(), encoding="utf-8")
