"""A job without Ray and networks: it holds the lease of an image set, and writes all of it.

    python -m tests.support.plain_job OUTPUT SCENES

Its heart beats ten times as often as that of a real job.
"""

import sys
import time

import numpy as np

from spadepis.cli.exit_status import exit_status
from spadepis.dataset.image_set import lease as leases
from spadepis.dataset.image_set.commit_log import compact, read_log
from spadepis.dataset.image_set.commits import pairs
from spadepis.dataset.image_set.index import write_index
from spadepis.dataset.image_set.lease import hold
from spadepis.dataset.image_set.orphans import remove_orphans
from spadepis.dataset.image_set.writer import ImageSetWriter
from spadepis.dataset.storage.folder import Folder
from spadepis.labels import COCO_STUFF
from spadepis.pipeline.scene import Scene, Style
from spadepis.pipeline.stages.write import Write

STYLES = [Style("s", "s.png"), Style("t", "t.png")]
HEARTBEAT_SECONDS = 0.5
# The least duration of a job: a waiting one sees its heart beat.
SECONDS = 5.0


def scene(index: int) -> Scene:
    """A label map of one class in two styles."""
    labels = np.full((16, 16), index % 100, np.uint8)
    photo = np.full((16, 16, 3), index % 256, np.uint8)
    return Scene(
        f"m{index}",
        list(STYLES),
        f"m{index}.png",
        label_map=labels,
        content=photo,
        results=[photo, 255 - photo],
    )


def run(output: str, scenes: int) -> int:
    """Write what is missing of an image set, as a job does."""
    leases.HEARTBEAT_SECONDS = HEARTBEAT_SECONDS
    folder = Folder(output)
    with hold(folder, "identity") as lease:
        settled = {mask for mask, _ in pairs(read_log(folder))}
        write = Write(ImageSetWriter(folder, "png", 95), COCO_STUFF, True, lease=lease)
        for index in range(scenes):
            if f"m{index}" not in settled:
                write([scene(index)])
                time.sleep(SECONDS / scenes)
        lease.check()
        log = compact(folder)
        remove_orphans(folder, log, lease.since)
        write_index(folder, log, {}, {"status": "complete"})
    return 0


if __name__ == "__main__":
    sys.exit(exit_status(lambda: run(sys.argv[1], int(sys.argv[2])), resumes=True))
