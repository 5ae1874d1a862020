"""Time and memory of starting the job of a large image set again; run by ``make long``."""

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from spadepis.dataset.image_set.commit_log import commit_files, write_commits
from spadepis.dataset.image_set.commits import Commit
from spadepis.dataset.image_set.layout import (
    OBJECT_FOLDERS,
    content_name,
    image_name,
    label_map_name,
)
from spadepis.dataset.storage.folder import Folder
from spadepis.pipeline.config.command import parse_config
from spadepis.pipeline.config.identity import identify, write_identity
from spadepis.pipeline.config.job import Job
from tests.support.listing_service import ManyObjects
from tests.support.s3_service import Service

STYLES = 4
MASKS_IN_FILE = 16
DIGEST = "0123456789abcdef" * 4
LATENCY_SECONDS = 0.03
SCRIPT = """
import logging, resource, sys, time
from spadepis.pipeline.config.job import Job
from spadepis.pipeline.config.command import parse_config
from spadepis.pipeline.ray.job import run

logging.basicConfig(level=logging.INFO)

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10

imported, start, cpu = peak(), time.perf_counter(), time.process_time()
job = Job.SYNTHESIZE_AND_STYLIZE
assert run(parse_config(job, sys.argv[1:])).status == 0
seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
print(f"{seconds:.1f} s, {cpu:.1f} s of CPU, {imported} MiB imported, {peak() - imported} MiB more")
"""


@dataclass
class LargeSet:
    """A job of many label maps in four styles, all of which are committed.

    Attributes:
        folder: the image set; of its images there is the log alone.
        flags: of the job.
        pairs: of a label map and a style.
        names: of the images, one byte each.
    """

    folder: Folder
    flags: list[str]
    pairs: int
    names: list[str] = field(default_factory=list)

    def run(self, state: str, *more: str) -> None:
        """Start the job in a process, in which nothing is left to do, and print what it took."""
        command = [sys.executable, "-c", SCRIPT, *self.flags, *more]
        result = subprocess.run(command, capture_output=True, text=True)
        assert result.returncode == 0, result.stderr
        print(f"{self.pairs} pairs, {state}: {result.stdout.strip()}", flush=True)
        assert "done again" not in result.stderr and "written again" not in result.stderr


def large_set(masks: int, inputs: Path, folder: Folder, *flags: str) -> LargeSet:
    for name, count, suffix in (("masks", masks, "png"), ("styles", STYLES, "jpg")):
        (inputs / name).mkdir()
        for index in range(count):
            (inputs / name / f"{index:012d}.{suffix}").touch()
    all_flags = [f"--{name}={inputs / name}" for name in ("masks", "styles")]
    all_flags += [f"--styles-per-mask={STYLES}", f"--output={folder.uri}", "--accept-implausible"]
    made = LargeSet(folder, [*all_flags, *flags], masks * STYLES)
    config = parse_config(Job.SYNTHESIZE_AND_STYLIZE, made.flags)
    write_identity(folder, identify(config, [f"{style:012d}" for style in range(STYLES)]))
    for first in range(0, masks, MASKS_IN_FILE):
        ids = [f"{index:012d}" for index in range(first, min(first + MASKS_IN_FILE, masks))]
        commits = [_commit(inputs, id, f"{style:012d}") for id in ids for style in range(STYLES)]
        made.names += [
            str(name)
            for commit in commits
            for name in (commit.file_name, commit.mask_file_name, commit.content_file_name)
        ]
        write_commits(folder, commits)
    made.names = sorted(set(made.names))
    return made


def _commit(inputs: Path, mask_id: str, style_id: str) -> Commit:
    return Commit(
        mask_id,
        style_id,
        f"{inputs}/masks/{mask_id}.png",
        f"{inputs}/styles/{style_id}.jpg",
        file_name=image_name(mask_id, style_id, "jpg"),
        mask_file_name=label_map_name(mask_id),
        content_file_name=content_name(mask_id, "jpg"),
        image_sha256=DIGEST,
        mask_sha256=DIGEST,
        content_sha256=DIGEST,
        image_bytes=1,
        mask_bytes=1,
        content_bytes=1,
        height=256,
        width=256,
        seconds={"read": 0.1, "synthesize": 0.2, "stylize": 0.3, "smooth": 0.4},
    )


@pytest.mark.long
@pytest.mark.parametrize("masks", [10_000, 50_000, 100_000])
def test_planning_and_restarting_a_finished_job(tmp_path: Path, masks: int) -> None:
    made = large_set(masks, tmp_path, Folder(str(tmp_path / "out")), "--no-check")
    # Nothing is left to do: Ray is not started. The first run compacts the log, writes the index.
    for state in ("all committed", "finished"):
        made.run(state)
        assert len(commit_files(made.folder)) == 1


@pytest.fixture(params=["local disk", "S3"])
def on_storage(
    request: pytest.FixtureRequest, tmp_path: Path, service: Service, bucket: str
) -> Iterator[LargeSet]:
    """A large set whose images exist."""
    masks = 25_000
    if request.param == "local disk":
        made = large_set(masks, tmp_path, Folder(str(tmp_path / "out")))
        for name in made.names:
            path = tmp_path / "out" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"x")
        yield made
        return
    flags = (f"--s3-endpoint={service.endpoint}", "--s3-anonymous")
    made = large_set(masks, tmp_path, Folder(f"{bucket}/out"), *flags)
    sizes = {f"out/{name}": 1 for name in made.names}
    folders = [f"out/{folder}" for folder in OBJECT_FOLDERS]
    application = service.application
    service.application = ManyObjects(
        application, bucket.removeprefix("s3://"), sizes, folders, LATENCY_SECONDS
    )
    try:
        yield made
    finally:
        print(f"{service.application.lists} requests listed {len(sizes)} objects")
        service.application = application


@pytest.mark.long
def test_restarting_a_finished_job_with_the_check(
    on_storage: LargeSet, request: pytest.FixtureRequest
) -> None:
    on_storage.run("all committed")
    for _ in range(2):
        on_storage.run("finished, without the check", "--no-check")
        on_storage.run("finished, with the check")
