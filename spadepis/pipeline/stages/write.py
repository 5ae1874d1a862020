"""Writing the results of scenes and, once they are written, committing them."""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from spadepis.dataset.encoding import DECODING_ERRORS, decode, encode_png
from spadepis.dataset.image_set.commit_log import write_commits
from spadepis.dataset.image_set.commits import Commit
from spadepis.dataset.image_set.layout import instance_map_name, label_map_name
from spadepis.dataset.image_set.lease import Lease
from spadepis.dataset.image_set.writer import Encoded, ImageSetWriter
from spadepis.dataset.storage.credentials import without_queries
from spadepis.labels import LabelSpace
from spadepis.pipeline.outcome import BatchOutcome, UnexpectedFailure
from spadepis.pipeline.revision import REVISION
from spadepis.pipeline.scene import Failure, Scene, Style, timed_together
from spadepis.pipeline.stages.declarations import WRITE


class ChangedMap(Exception):  # noqa: N818, its name goes into the commit log
    """A label map or instance map that differs from that of earlier results of its scene."""

    def __init__(self, kind: str) -> None:
        super().__init__(
            f"its {kind} has changed since the other results of this scene were made; with another "
            "--output all of them are made anew"
        )


@dataclass(frozen=True)
class Write:
    """Write the images of a batch of scenes, then one commit file that makes them count.

    Attributes:
        writer: writer of the image set.
        label_space: encodes the label maps.
        keep_contents: whether the photo before stylization is written too.
        lease: that of the job; None where there is no other job, as in a notebook.
    """

    declaration: ClassVar = WRITE

    writer: ImageSetWriter
    label_space: LabelSpace
    keep_contents: bool
    lease: Lease | None = None

    def __call__(self, scenes: list[Scene]) -> list[BatchOutcome]:
        """What became of all of them together."""
        encoded = [self._encode(scene) for scene in scenes]
        by_scene = list(zip(scenes, encoded, strict=True))
        with timed_together(WRITE.name, [scene for scene, pairs in by_scene for _ in pairs]):
            published = iter(self.writer.publish([pair for pairs in encoded for pair in pairs]))
        commits = []
        for scene, pairs in by_scene:
            settled = [_failed(scene, failure) for failure in scene.failures]
            settled += [next(published) for _ in pairs]
            spent = {stage: total / len(settled) for stage, total in scene.seconds.items()}
            now = datetime.now(UTC)
            commits += [replace(commit, seconds=spent, committed=now) for commit in settled]
        if self.lease is not None:
            self.lease.check()
            commits = [replace(commit, identity=self.lease.identity) for commit in commits]
        write_commits(self.writer.folder, commits)
        failed = sum(commit.failed for commit in commits)
        rejected = sum(commit.rejected for commit in commits)
        done = len(commits) - failed - rejected
        unexpected = [
            UnexpectedFailure(scene.id, error)
            for scene in scenes
            for error in _unexpected_errors(scene)
        ]
        seconds: Counter[str] = Counter()
        for scene in scenes:
            seconds.update(scene.seconds)
        return [BatchOutcome(done, failed, rejected, dict(seconds), unexpected)]

    def _encode(self, scene: Scene) -> list[Encoded]:
        if not scene.styles:
            return []
        assert scene.content is not None
        with scene.timed(WRITE.name):
            try:
                mask, instances = self._encode_maps(scene)
            except ChangedMap as error:
                scene.fail(WRITE.name, scene.source, error)
                return []
            content = self.writer.encode(scene.content) if self.keep_contents else None
            height, width = scene.size
            classes = self._classes(scene)
            common: dict[str, Any] = {"height": height, "width": width, "classes": classes}
            # Without stylization the content itself is the one result.
            images = scene.results or [scene.content]
            # Results that were not assessed have no metrics.
            qualities = scene.quality or [{} for _ in images]
            return [
                Encoded(
                    replace(_commit(scene, style), **common, quality=quality),
                    self.writer.encode(image),
                    mask,
                    content,
                    instances,
                )
                for style, image, quality in zip(scene.styles, images, qualities, strict=True)
            ]

    def _encode_maps(self, scene: Scene) -> tuple[bytes | None, bytes | None]:
        """The label map and the instance map of a scene as PNG, if it has them.

        Results of a scene share them as files. So if there are any in the image set, theirs are
        returned, which another version of the encoder may have written.

        Raises:
            ChangedMap: theirs are other ones.
        """
        mask = None if scene.label_map is None else self.label_space.encode(scene.label_map)
        names = label_map_name(scene.id), instance_map_name(scene.id)
        kinds = "label map", "instance map"
        encoded: list[bytes | None] = []
        for kind, name, pixels in zip(kinds, names, (mask, scene.instances), strict=True):
            stored = None
            if pixels is not None and scene.has_results and not self.writer.in_shards:
                with suppress(FileNotFoundError):
                    stored = self.writer.folder.read(name)
                if stored is not None and not _shows(stored, pixels):
                    raise ChangedMap(kind)
            encoded.append(encode_png(pixels) if stored is None and pixels is not None else stored)
        return encoded[0], encoded[1]

    def _classes(self, scene: Scene) -> list[str] | None:
        """Names of the classes in the label map."""
        if scene.label_map is None:
            return None
        return [self.label_space.names[index] for index in np.unique(scene.label_map)]


def _shows(stored: bytes, pixels: NDArray[Any]) -> bool:
    """Whether an encoded image can be decoded, and has these pixels."""
    try:
        return np.array_equal(decode(stored), pixels)
    except DECODING_ERRORS:
        return False


def _commit(scene: Scene, style: Style) -> Commit:
    return Commit(
        scene.id,
        style.id,
        _shown(scene.mask_source),
        _shown(style.source),
        photo_source=_shown(scene.photo_source),
        revision=REVISION,
    )


def _unexpected_errors(scene: Scene) -> set[str]:
    return {
        f"{failure.stage}: {failure.error}: {failure.message}"
        for failure in scene.failures
        if failure.unexpected
    }


def _failed(scene: Scene, failure: Failure) -> Commit:
    return replace(
        _commit(scene, failure.style),
        stage=failure.stage,
        source=_shown(failure.source),
        error=failure.error,
        message=_shown(failure.message),
    )


def _shown(text: str | None) -> str | None:
    """What may be written into an image set that is published."""
    return None if text is None else without_queries(text)
