"""Inspecting an image set, while its job runs and afterwards."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import pyarrow as pa
from tqdm import tqdm

from spadepis.configuration import ConfigurationError
from spadepis.dataset.image_set.commit_log import read_log
from spadepis.dataset.image_set.commits import done
from spadepis.dataset.image_set.index_check import index_problems
from spadepis.dataset.image_set.layout import COMMAND, CONFIGURATION, MANIFEST, METADATA, PLAN
from spadepis.dataset.image_set.orphans import named_objects, orphans
from spadepis.dataset.image_set.records import DamagedFileError, read_record
from spadepis.dataset.image_set.verification import Problem, verify
from spadepis.dataset.storage.credentials import without_queries
from spadepis.dataset.storage.folder import Folder
from spadepis.report.settings import shown
from spadepis.report.summary import counts_text, details_text, summarize

SOUND = 0
PROBLEMS = 1


@dataclass(frozen=True)
class ReadBack:
    """What reading an image set back has shown.

    Attributes:
        objects: how many objects were read.
        problems: what is wrong.
        unhashed: how many images have no hash to be compared with.
    """

    objects: int
    problems: Sequence[Problem]
    unhashed: int


def inspect(uri: str, read_back: bool, defaults: Callable[[str | None], Mapping[str, Any]]) -> int:
    """Print whether an image set is complete and sound, its settings, seconds and failures.

    Args:
        uri: the folder of the image set, finished or not.
        read_back: whether all images are read and compared with the commit log.
        defaults: the default of each setting of a job of that name. Settings that differ from it
            are printed first.

    Returns:
        Exit status: 1 if problems were found, else 0.

    Raises:
        ConfigurationError: the folder holds no image set.
        DamagedFileError: the commit log, the configuration or the manifest is damaged.
    """
    folder = Folder(uri)
    log = read_log(folder)
    settings = _configuration(folder, log)
    default = defaults(settings.get("job"))
    rows = shown(settings).items()
    usual = [(name, text) for name, text in rows if settings[name] == default.get(name)]
    given = [(name, text) for name, text in rows if settings[name] != default.get(name)]
    summary = summarize(log)
    counts = f"{_verdict(folder, len(log))}: {counts_text(summary, folder.uri)}"
    found = _read_back(folder, log) if read_back else None
    lines = [
        *([counts] if found is None else _soundness(folder, counts, found)),
        *_section("settings that differ from the defaults:", given),
        details_text(summary, log),
        *_section("settings at their defaults:", usual),
    ]
    print(without_queries("\n".join(lines)))
    return PROBLEMS if found is not None and found.problems else SOUND


def _read_back(folder: Folder, log: pa.Table) -> ReadBack:
    """Read all images and compare them with the commit log."""
    objects = named_objects(log)
    checked = tqdm(verify(folder, log), total=len(objects), unit=" objects", disable=None)
    problems = list(chain.from_iterable(checked))
    if folder.exists(MANIFEST):
        # A job that is running may be about to commit them.
        problems += [
            Problem(name, "is not named in the commit log") for name in orphans(folder, log)
        ]
        problems += index_problems(folder, log, edited_pages=True)
    elif folder.exists(METADATA):
        problems.append(Problem(MANIFEST, "missing; this is normal only while the job is running"))
    return ReadBack(len(objects), problems, done(log)["image_sha256"].null_count)


def _soundness(folder: Folder, counts: str, found: ReadBack) -> list[str]:
    """The verdict on a set that was read back, what is wrong with it, and what helps.

    Args:
        folder: the image set.
        counts: what the commit log says about it.
        found: what reading it back has shown.
    """
    figures = f"{found.objects} objects read back: {len(found.problems)} problems"
    unhashed = (
        [f"the log has no SHA-256 of {found.unhashed} images, which were not compared"]
        if found.unhashed
        else []
    )
    if not found.problems:
        return [f"{counts}; {figures}", *unhashed]
    remedy = (
        f"spadepis repair {folder.uri}"
        if folder.exists(COMMAND)
        else "its job, started again with --repair,"
    )
    return [
        f"damaged, {figures}; {remedy} makes again what is damaged or missing",
        *_columns([(repr(each.name), each.text) for each in found.problems]),
        *unhashed,
        f"the commit log says {counts}",
    ]


def _configuration(folder: Folder, log: pa.Table) -> dict[str, Any]:
    """The configuration of an image set."""
    try:
        return read_record(folder, CONFIGURATION)
    except (FileNotFoundError, NotADirectoryError) as error:
        if len(log):
            raise DamagedFileError(folder, CONFIGURATION, "it is missing") from error
        raise ConfigurationError(f"{folder.uri} holds no image set") from error


def _verdict(folder: Folder, settled: int) -> str:
    """Whether the image set is finished."""
    if folder.exists(MANIFEST):
        status = read_record(folder, MANIFEST).get("status")
        if not isinstance(status, str):
            raise DamagedFileError(folder, MANIFEST, "it has no status")
        return status if status == "complete" else f"finished with {status}"
    planned = read_record(folder, PLAN)["pairs"] if folder.exists(PLAN) else "?"
    return f"not finished (running or stopped), {settled} of {planned} pairs so far"


def _section(heading: str, rows: Sequence[tuple[str, Any]]) -> list[str]:
    return [heading, *_columns(rows)] if rows else []


def _columns(rows: Sequence[tuple[str, Any]]) -> list[str]:
    """Lines of names and what belongs to them, one below the other."""
    width = max((len(name) for name, _ in rows), default=0)
    return [f"  {name:<{width}}  {text}" for name, text in rows]
