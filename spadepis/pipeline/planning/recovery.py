"""What of an image set is missing or damaged, so that it is done again."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from itertools import chain

import pyarrow as pa

from spadepis.configuration import ConfigurationError
from spadepis.dataset.image_set.commit_log import forget, read_log, recover_log, rows_of
from spadepis.dataset.image_set.commits import pairs
from spadepis.dataset.image_set.completeness import missing_or_cut
from spadepis.dataset.image_set.index_check import index_problems
from spadepis.dataset.image_set.layout import MANIFEST, object_name
from spadepis.dataset.image_set.records import DamagedFileError
from spadepis.dataset.image_set.verification import Problem, verify
from spadepis.dataset.storage.folder import Folder
from spadepis.pipeline.config.groups import OutputSettings
from spadepis.pipeline.planning.preparation import Prepared, plan_pairs

log = logging.getLogger(__name__)


def is_sound(folder: Folder, commits: pa.Table, output: OutputSettings) -> bool:
    """Whether a finished set holds what its log and manifest say, so far as it is checked."""
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


def recover(job: Prepared) -> tuple[pa.Table, bool]:
    """The commit log, without the pairs whose images are missing or damaged.

    Only the job that holds the image set may do this.

    Returns:
        What ``read_log`` returns, and whether no file of the log was damaged, so that objects
        without a row are orphans.

    Raises:
        ConfigurationError: the job would not make such a pair again. Nothing was forgotten.
    """
    folder, output = job.folder, job.config.output
    try:
        commits, is_whole = read_log(folder), True
    except DamagedFileError:
        commits, is_whole = recover_log(folder), False
    problems: Sequence[Problem] = []
    if output.repair:
        problems = list(chain.from_iterable(verify(folder, commits)))
    elif output.check:
        problems = missing_or_cut(folder, commits)
    if not problems:
        return commits, is_whole
    names = {object_name(problem.name) for problem in problems}
    _refuse_to_forget(job, rows_of(commits, names), commits)
    log.warning("%s: %s. They are done again", folder.uri, _text(problems))
    # The set is no longer finished.
    folder.remove(MANIFEST)
    return forget(folder, names), is_whole


def _refuse_to_forget(job: Prepared, lost: pa.Table, commits: pa.Table) -> None:
    """Refuse to forget pairs that the job does not make, as a later run may be a narrower one."""
    plan, _ = plan_pairs(job, commits, retry_failed=False)
    others = sorted(id for id, style_id in pairs(lost) if not plan.has(id, style_id))
    if others:
        raise ConfigurationError(
            f"{job.folder.uri}: images are missing or damaged that this command does not make, "
            f"{len(others)} in all, e.g. of {others[0]}. Run it as it was run before, without a "
            "narrower --limit, --where, --containing-classes or --pairing-table"
        )


def lost_objects(folder: Folder, commits: pa.Table, output: OutputSettings) -> str | None:
    """What is missing or cut at the end of a job, as a text; None if nothing is."""
    problems = missing_or_cut(folder, commits) if output.check else []
    return f"{folder.uri}: {_text(problems)}" if problems else None


def _text(problems: Sequence[Problem]) -> str:
    first = problems[0]
    return f"{len(problems)} objects are missing or damaged, e.g. {first.name} ({first.text})"
