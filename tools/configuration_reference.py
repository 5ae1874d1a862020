"""The reference of the jobs' settings, ``docs/configuration.md``, from the groups of settings."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence
from pathlib import Path

from spadepis.configuration import Schema, flag, kind_of
from spadepis.pipeline.config import groups
from spadepis.pipeline.config.groups import Group
from spadepis.pipeline.config.job import Job

HEAD = """\
# Settings of the jobs

Every setting is a flag of `jobs/synthesize.py`, `jobs/stylize.py` and
`jobs/synthesize_and_stylize.py` (*both*), and a key of the YAML file that `--config` names, spelt
with `_` or `-`. Flags win over the file. An unknown setting is an error, and so is one that the job
does not have.

● the job needs the setting, unless `--dataset` fills it in; ○ the job has the setting.
`--[no-]name` is a switch: `--name` or `--no-name`, in YAML `true` or `false`. The other jobs list
their settings with `--help`.

<!-- Do not edit: written by python -m tools.configuration_reference. -->
"""
JOBS = {
    Job.SYNTHESIZE: "synthesize",
    Job.STYLIZE: "stylize",
    Job.SYNTHESIZE_AND_STYLIZE: "both",
}
COLUMNS = ("setting", "value", "default", *JOBS.values(), "meaning")
TYPES = {"string": "text", "integer": "integer", "number": "number", "boolean": "switch"}
LIMITS = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}


def configuration_reference() -> str:
    """The reference of all settings of the jobs, Markdown."""
    sections = [f"## {group.heading}\n\n{_table(group)}" for group in groups.GROUPS]
    return "\n".join([HEAD, *sections])


def _table(group: type[Group]) -> str:
    rows: list[Iterable[str]] = [COLUMNS, ["---"] * len(COLUMNS)]
    for name, schema in group.model_json_schema()["properties"].items():
        rows.append(_row(group, name, schema))
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def _row(group: type[Group], name: str, schema: Schema) -> Sequence[str]:
    value = _value(schema)
    shown = flag(name).replace("--", "--[no-]") if value == "switch" else flag(name)
    uses = [_use(group, name, job) for job in JOBS]
    description = " ".join(schema["description"].split()).replace("*", r"\*").replace("|", r"\|")
    return [f"`{shown}`", value, _default(schema), *uses, description]


def _use(group: type[Group], name: str, job: Job) -> str:
    """The mark for what a job does with a setting."""
    if group.is_needed(name, job):
        return "●"
    return "○" if job in group.jobs_of(name) else ""


def _value(schema: Schema) -> str:
    """What may be given: one of some choices, or a type with its limits."""
    kind = kind_of(schema)
    if "enum" in kind:
        return ", ".join(f"`{choice}`" for choice in kind["enum"])
    limits = [f"{sign} {kind[key]}" for key, sign in LIMITS.items() if key in kind]
    return f"{TYPES[kind['type']]} {', '.join(limits)}".rstrip()


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
