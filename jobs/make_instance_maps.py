"""Make the instance maps of a COCO split from its annotations and label maps."""

from __future__ import annotations

import errno
import logging
import os
import sys
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from itertools import repeat
from multiprocessing import get_context

from pydantic import Field
from tqdm import tqdm

from spadepis.cli.exit_status import exit_status
from spadepis.configuration import Configuration, ConfigurationError, parse_settings
from spadepis.dataset.encoding import encode_png
from spadepis.dataset.inputs.coco_instances import (
    AnnotatedImage,
    AnnotationError,
    match_images,
    paint_instances,
    read_annotations,
)
from spadepis.dataset.inputs.image_files import UnreadableImageError
from spadepis.dataset.inputs.label_maps import read_label_map
from spadepis.dataset.inputs.listing import SourceError, list_images
from spadepis.dataset.storage.credentials import CredentialsError
from spadepis.dataset.storage.folder import Folder
from spadepis.filesystem_errors import reason
from spadepis.labels import COCO_STUFF

log = logging.getLogger(__name__)

COMPLETE = 0
SOME_FAILED = 3
MAPS_IN_TASK = 32
MAX_PIXELS = 50_000_000
# The ids of shards may be of any length, and have characters that a file system does not take.
UNUSABLE_NAME = (errno.ENAMETOOLONG, errno.EILSEQ)


class InstanceMapsConfig(Configuration):
    """Make instance maps from label maps and an instances_*.json of COCO."""

    annotations: str
    """Annotations of COCO: instances_train2017.json or instances_val2017.json."""
    masks: str
    """Label maps named like the images: a folder, searched recursively, a glob, or shards."""
    output: str
    """Folder for the instance maps, PNG files with the ids of the label maps."""
    workers: int | None = Field(default=None, ge=1)
    """Number of processes. Default: one for each CPU."""


@dataclass(frozen=True)
class _Painting:
    """One instance map to be made."""

    id: str
    source: str
    image: AnnotatedImage


def make_instance_maps(config: InstanceMapsConfig) -> int:
    """Make an instance map for each label map; earlier ones are replaced.

    A label map is left out, with a line of the log, if it cannot be read, has not the size of its
    image, or its id is no name of a file, and if an annotation of its image is broken. A map that
    an earlier run made of it is then removed.

    Returns:
        Exit status: 0, or 3 if label maps were left out.

    Raises:
        ConfigurationError: an input cannot be read or listed, label maps do not belong to the
            annotations, or the first map cannot be written.
        OSError: another map cannot be written.
    """
    paintings = _plan(config)
    folder = Folder(config.output)
    try:
        failure = _paint(paintings[0], folder)
    except OSError as error:
        raise ConfigurationError(f"{folder.uri} cannot be written ({reason(error)})") from error
    failed = _count_failures([failure])
    failed += _paint_all(paintings[1:], folder, config.workers or os.cpu_count() or 1)
    folder.clear_staging()
    print(f"{len(paintings) - failed} instance maps in {folder.uri}, {failed} left out")
    return SOME_FAILED if failed else COMPLETE


def _plan(config: InstanceMapsConfig) -> list[_Painting]:
    try:
        masks = list_images(config.masks, exclude=Folder(config.output).uri)
        images = match_images(masks.images, read_annotations(config.annotations))
    except (SourceError, AnnotationError, CredentialsError) as error:
        raise ConfigurationError(str(error)) from error
    unknown = [id for id in masks.images if id not in images]
    if unknown:
        raise ConfigurationError(
            f"{config.annotations} has no image for {len(unknown)} of {len(masks.images)} label "
            f"maps, e.g. {unknown[0]}: is it that of another split?"
        )
    return [_Painting(id, uri, images[id]) for id, uri in masks.images.items()]


def _paint_all(paintings: Sequence[_Painting], folder: Folder, workers: int) -> int:
    """Make all maps in other processes, and return the number of those that cannot be made."""
    # Forks of a process with threads may hang, and would each hold the annotations of all images.
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        outcomes = pool.map(_paint, paintings, repeat(folder), chunksize=MAPS_IN_TASK)
        return _count_failures(tqdm(outcomes, total=len(paintings), unit="map"))


def _count_failures(outcomes: Iterable[str | None]) -> int:
    """Log why maps were left out, and return how many were."""
    failed = 0
    for failure in outcomes:
        if failure is not None:
            log.warning("left out: %s", failure)
            failed += 1
    return failed


def _paint(painting: _Painting, folder: Folder) -> str | None:
    """Make one map, and return why it cannot be made, or None."""
    name, failure = f"{painting.id}.png", None
    try:
        label_map = read_label_map(painting.source, MAX_PIXELS, label_space=COCO_STUFF)
        content = encode_png(paint_instances(label_map, painting.image))
    except UnreadableImageError as error:
        failure = str(error)
    except AnnotationError as error:
        failure = f"{painting.source}: {error}"
    try:
        if failure is None:
            folder.write(name, content)
        else:
            # One of an earlier run would pass for that of this label map.
            folder.remove(name)
    except ValueError as error:
        return f"{painting.source}: no file can have this name ({error})"
    except OSError as error:
        if error.errno not in UNUSABLE_NAME:
            raise
        return f"{painting.source}: no file can have this name ({reason(error)})"
    return failure


if __name__ == "__main__":
    arguments = sys.argv[1:]
    sys.exit(exit_status(lambda: make_instance_maps(parse_settings(InstanceMapsConfig, arguments))))
