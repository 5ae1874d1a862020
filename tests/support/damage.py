"""What is wrong with an image set whose job was killed, beside one that was made undisturbed."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from io import BytesIO

import pyarrow.parquet as pq

from spadepis.dataset.image_set.commit_log import read_log
from spadepis.dataset.image_set.layout import CARD, FAILURES, MANIFEST, METADATA, REPORT
from spadepis.dataset.image_set.orphans import orphans
from spadepis.dataset.image_set.verification import verify
from spadepis.dataset.storage.folder import Folder

THREADS = 8
# They hold seconds, or are in as many files as there were writers.
NOT_COMPARED = ("_commits/", CARD, REPORT, MANIFEST)


@dataclass(frozen=True)
class Damage:
    """Of an image set, or of several.

    Attributes:
        missing: pairs without a row in the index, and files that are not there.
        duplicates: rows of the index beyond one for each pair.
        orphans: files that an undisturbed job does not leave.
        truncated: files with other bytes than those of an undisturbed job, or than was logged.
    """

    missing: int = 0
    duplicates: int = 0
    orphans: int = 0
    truncated: int = 0

    def __add__(self, other: "Damage") -> "Damage":
        return Damage(
            self.missing + other.missing,
            self.duplicates + other.duplicates,
            self.orphans + other.orphans,
            self.truncated + other.truncated,
        )


def read_files(folder: Folder) -> dict[str, bytes]:
    """Every file of an image set whose bytes may not depend on how often its job was stopped."""
    names = [name for name in folder.names() if not name.startswith(NOT_COMPARED)]
    with ThreadPoolExecutor(THREADS) as pool:
        return dict(zip(names, pool.map(folder.read, names), strict=True))


def find_damage(folder: Folder, undisturbed: Mapping[str, bytes]) -> Damage:
    """Compare a finished image set with the files of an undisturbed one, byte for byte."""
    files = read_files(folder)
    log = read_log(folder)
    expected, pairs = _pairs(undisturbed), _pairs(files)
    differing = {name for name in files.keys() & undisturbed if files[name] != undisturbed[name]}
    unsound = {problem.name for problems in verify(folder, log) for problem in problems}
    return Damage(
        missing=len(set(expected) - set(pairs)) + len(undisturbed.keys() - files),
        duplicates=len(pairs) - len(set(pairs)),
        orphans=len((files.keys() - undisturbed) | set(orphans(folder, log))),
        truncated=len(differing | (unsound & files.keys())),
    )


def _pairs(files: Mapping[str, bytes]) -> list[tuple[str, str]]:
    """The pairs of mask and style in the index, done and failed."""
    return [
        (row["mask_id"], row["style_id"])
        for name in (METADATA, FAILURES)
        if name in files
        for row in pq.read_table(BytesIO(files[name])).to_pylist()
    ]
