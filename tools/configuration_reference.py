"""The reference of the jobs' settings, ``docs/configuration.md``, from the groups of settings."""

from __future__ import annotations

import argparse
import textwrap
from collections.abc import Sequence
from pathlib import Path

from spadepis.configuration import Schema, flag, kind_of
from spadepis.pipeline.config import groups
from spadepis.pipeline.config.groups import Group
from spadepis.pipeline.config.job import Job

HEAD = """\
# Settings of the jobs

Every setting is a flag of `jobs/synthesize.py`, `jobs/stylize.py` or
`jobs/synthesize_and_stylize.py`, and a key of the YAML file that `--config` names, spelt with `_`
or `-`. Flags win over the file. An unknown setting is an error, and so is one that the job does not
have. The other jobs list their settings with `--help`.

The brackets say which values a setting takes, what its default is, and whether the job needs it. A
job needs no value for settings that `--dataset` fills in. A switch is set with `--name` or
`--no-name`, in YAML with `true` or `false`.

Settings that are *fixed* are part of what an image set is: whoever resumes it has to give the same
values, or another `--output`. The list of style photos, the content of checkpoints and, for
Parquet, `--split-by` are fixed in the same way. All other settings may change, and label maps may
be added.

<!-- Do not edit: written by python -m tools.configuration_reference. -->
"""
WIDTH = 100
TYPES = {"string": "text", "integer": "integer", "number": "number", "boolean": "switch"}
LIMITS = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}


def configuration_reference() -> str:
    """The reference of all settings of the jobs, Markdown."""
    return "\n".join([HEAD, *map(_section, groups.GROUPS)])


def _section(group: type[Group]) -> str:
    settings = group.model_json_schema()["properties"].items()
    entries = [_entry(group, name, schema) for name, schema in settings]
    return f"## {group.heading}\n\n" + "\n".join(entries) + "\n"


def _entry(group: type[Group], name: str, schema: Schema) -> str:
    """An item of a list: the flag, what it takes, and what it means."""
    takes = "; ".join(filter(None, (_value(schema), _default(schema), _use(group, name))))
    description = schema["description"].replace("*", r"\*")
    return textwrap.fill(
        f"- **`{flag(name)}`** ({takes}): {description}",
        WIDTH,
        subsequent_indent="  ",
        break_on_hyphens=False,
    )


def _use(group: type[Group], name: str) -> str:
    """Whether the setting may change, which jobs need it, and which do not have it."""
    having = [job for job in Job if job in group.jobs_of(name)]
    needing = [job for job in having if group.is_needed(name, job)]
    notes = ["fixed"] if group.is_identity(name) else []
    if needing:
        notes.append("needed" if needing == having else f"needed by {_names(needing)}")
    if len(having) == 1:
        notes.append(f"only for {_names(having)}")
    elif len(having) < len(Job):
        notes.append(f"not for {_names([job for job in Job if job not in having])}")
    if unused := [job for job in having if not group.is_used(name, job)]:
        notes.append(f"no effect on {_names(unused)}")
    return "; ".join(notes)


def _names(jobs: Sequence[Job]) -> str:
    return " and ".join(f"`{job.value}`" for job in jobs)


def _value(schema: Schema) -> str:
    """What may be given: one of some choices, or a type with its limits."""
    kind = kind_of(schema)
    if "enum" in kind:
        *others, last = [f"`{choice}`" for choice in kind["enum"]]
        return f"{', '.join(others)} or {last}"
    # Whether a limit of 0 is an integer depends on the version of pydantic.
    limits = [f"{sign} {kind[key]:.15g}" for key, sign in LIMITS.items() if key in kind]
    return f"{TYPES[kind['type']]} {', '.join(limits)}".rstrip()


def _default(schema: Schema) -> str:
    default = schema.get("default")
    if isinstance(default, bool):
        return "default on" if default else "default off"
    return "" if default in (None, "") else f"default `{default}`"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        f"python -m {__spec__.name}", description="Write the reference of the jobs' settings."
    )
    reference = Path(__file__).parents[1] / "docs" / "configuration.md"
    parser.add_argument("--output", type=Path, default=reference, help="docs/configuration.md")
    parser.parse_args().output.write_text(configuration_reference(), encoding="utf-8")
