"""Writing the results of scenes and, once they are there, committing them."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pyarrow as pa

from spadepis.dataset.commit_log import Commit, write_commits
from spadepis.dataset.writer import ImageSetWriter
from spadepis.labels import LabelSpace
from spadepis.pipeline.scene import Failure, Scene, Style, scenes_from_table

STAGE = "write"


@dataclass(frozen=True)
class Write:
    """Write the images of a batch of scenes, then one commit file that makes them count.

    Attributes:
        writer: of the image set.
        label_space: encodes the label maps.
        keep_contents: whether the photo before stylization is written too.
    """

    writer: ImageSetWriter
    label_space: LabelSpace
    keep_contents: bool

    def __call__(self, batch: pa.Table) -> pa.Table:
        """Returns one row: how many pairs of the batch are ``done`` and how many ``failed``."""
        commits = [commit for scene in scenes_from_table(batch) for commit in self._write(scene)]
        write_commits(self.writer.folder, commits)
        failed = sum(commit.failed for commit in commits)
        return pa.table({"done": [len(commits) - failed], "failed": [failed]})

    def _write(self, scene: Scene) -> list[Commit]:
        commits = [_failed(scene, failure) for failure in scene.failures]
        if scene.styles:
            with scene.timed(STAGE):
                commits += self._write_results(scene)
        seconds = {stage: total / len(commits) for stage, total in scene.seconds.items()}
        return [replace(commit, seconds=seconds) for commit in commits]

    def _write_results(self, scene: Scene) -> list[Commit]:
        assert scene.content is not None
        mask_name = content_name = None
        if scene.label_map is not None:
            raw = self.label_space.encode(scene.label_map)
            mask_name = self.writer.write_label_map(scene.id, raw)
        if self.keep_contents:
            content_name = self.writer.write_content(scene.id, scene.content)
        height, width = scene.content.shape[:2]
        # Without stylization the content itself is the one result.
        images = scene.results or [scene.content]
        return [
            replace(
                _commit(scene, style),
                file_name=self.writer.write_image(scene.id, style.id, image),
                mask_file_name=mask_name,
                content_file_name=content_name,
                height=height,
                width=width,
            )
            for style, image in zip(scene.styles, images, strict=True)
        ]


def _commit(scene: Scene, style: Style) -> Commit:
    return Commit(scene.id, style.id, scene.source or "", style.source)


def _failed(scene: Scene, failure: Failure) -> Commit:
    return replace(
        _commit(scene, failure.style),
        stage=failure.stage,
        source=failure.source,
        error=failure.error,
        message=failure.message,
    )
