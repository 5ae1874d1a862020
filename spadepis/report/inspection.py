"""What an output folder holds, while its job runs and afterwards."""

from __future__ import annotations

import json
from itertools import chain

from tqdm import tqdm

from spadepis.configuration import ConfigurationError
from spadepis.dataset.image_set.commit_log import read_log
from spadepis.dataset.image_set.commits import done
from spadepis.dataset.image_set.layout import CONFIGURATION, MANIFEST, PLAN
from spadepis.dataset.image_set.orphans import named_objects, orphans
from spadepis.dataset.image_set.verification import Problem, verify
from spadepis.dataset.storage.folder import Folder
from spadepis.report.summary import summarize, summary_text

SOUND = 0
PROBLEMS = 1


def inspect(uri: str, read_back: bool) -> int:
    """Print counts, failures, completeness and configuration of an image set, finished or not.

    Args:
        uri: its folder.
        read_back: whether all of its images are read and checked.

    Returns:
        1 if images were read and there are problems, else 0.

    Raises:
        ConfigurationError: no image set is there.
    """
    folder = Folder(uri)
    if not folder.exists(CONFIGURATION):
        raise ConfigurationError(f"{folder.uri} holds no image set")
    log = read_log(folder)
    print(summary_text(summarize(log), log, folder.uri))
    print(_completeness(folder, len(log)))
    print("configuration:")
    for name, value in json.loads(folder.read(CONFIGURATION)).items():
        print(f"  {name:<26} {value}")
    if not read_back:
        return SOUND
    objects = named_objects(log)
    checked = tqdm(verify(folder, log), total=len(objects), unit=" objects", disable=None)
    problems = list(chain.from_iterable(checked))
    if folder.exists(MANIFEST):
        # Before that they may be what a running job is about to commit.
        problems += [Problem(name, "no row of the log names it") for name in orphans(folder, log)]
    if problems:
        print(_table(problems))
    if unhashed := done(log)["image_sha256"].null_count:
        print(f"no SHA-256 is in the log for {unhashed} images: theirs were not compared")
    print(f"{len(objects)} objects read back: {len(problems)} problems")
    return PROBLEMS if problems else SOUND


def _completeness(folder: Folder, settled: int) -> str:
    if folder.exists(MANIFEST):
        return f"finished: {json.loads(folder.read(MANIFEST))['status']}"
    planned = json.loads(folder.read(PLAN))["pairs"] if folder.exists(PLAN) else "?"
    return f"running or stopped: {settled} of {planned} pairs"


def _table(problems: list[Problem]) -> str:
    width = max((len(repr(problem.name)) for problem in problems), default=0)
    return "\n".join(f"  {problem.name!r:<{width}}  {problem.text}" for problem in problems)
