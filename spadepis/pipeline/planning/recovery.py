"""What of an image set is missing or damaged, so that it is done again."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from itertools import chain

import pyarrow as pa

from spadepis.dataset.image_set.commit_log import forget, recover_log
from spadepis.dataset.image_set.completeness import missing_or_cut
from spadepis.dataset.image_set.index_check import index_problems
from spadepis.dataset.image_set.layout import MANIFEST, object_name
from spadepis.dataset.image_set.verification import Problem, verify
from spadepis.dataset.storage.folder import Folder
from spadepis.pipeline.config.groups import OutputSettings

log = logging.getLogger(__name__)


def is_sound(folder: Folder, commits: pa.Table, output: OutputSettings) -> bool:
    """Whether a finished set holds what its log and manifest say, as far as that is checked.

    Args:
        folder: the image set.
        commits: its pairs, as ``read_log`` returns them.
        output: says what is checked.
    """
    if output.repair:
        # The images are read back once the set is held.
        return False
    if not output.check:
        return True
    if missing_or_cut(folder, commits):
        return False
    problems = index_problems(folder, commits, edited_pages=False)
    for problem in problems:
        log.warning("%s/%s: %s. It is written again", folder.uri, problem.name, problem.text)
    return not problems


def recover(folder: Folder, output: OutputSettings) -> pa.Table:
    """The commit log, without the pairs whose images are missing or damaged.

    Only the job that holds the image set may do this.

    Args:
        folder: the image set.
        output: says what is checked.
    """
    commits = recover_log(folder)
    problems: Sequence[Problem] = []
    if output.repair:
        problems = list(chain.from_iterable(verify(folder, commits)))
    elif output.check:
        problems = missing_or_cut(folder, commits)
    if not problems:
        return commits
    log.warning("%s: %s. They are done again", folder.uri, _text(problems))
    # The set is no longer finished.
    folder.remove(MANIFEST)
    return forget(folder, {object_name(problem.name) for problem in problems})


def lost_objects(folder: Folder, commits: pa.Table, output: OutputSettings) -> str | None:
    """What is missing or cut at the end of a job, as a text; None if nothing is."""
    problems = missing_or_cut(folder, commits) if output.check else []
    return f"{folder.uri}: {_text(problems)}" if problems else None


def _text(problems: Sequence[Problem]) -> str:
    first = problems[0]
    return f"{len(problems)} objects are missing or damaged, e.g. {first.name} ({first.text})"
