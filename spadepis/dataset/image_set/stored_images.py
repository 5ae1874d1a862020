"""Reading the images of an image set, whether they are files or rows of shards."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from spadepis.dataset.image_set.layout import column_and_row, object_name
from spadepis.dataset.image_set.sealed_parquet import unseal
from spadepis.dataset.inputs.shards import read_source
from spadepis.dataset.storage.folder import Folder

# Larger images in shards are refused.
MOST_BYTES = 1 << 30


def read_image(folder: Folder, file_name: str) -> bytes:
    """An encoded image. Of a shard only the rows around it are read.

    Raises:
        OSError: it cannot be read.
        ValueError: the name is not one of an image set, or leads out of the folder.
    """
    if column_and_row(file_name) is None:
        return folder.read(file_name)
    shard = object_name(file_name)
    return read_source(f"{folder.uri_of(shard)}{file_name.removeprefix(shard)}", MOST_BYTES)


def images_of_object(content: bytes, file_names: Sequence[str]) -> Iterator[bytes]:
    """The encoded images that an object holds.

    Args:
        content: content of the object.
        file_names: names of the images, all in this object.

    Raises:
        ValueError, LookupError, TypeError: the object is a damaged shard.
    """
    places = [column_and_row(name) for name in file_names]
    if any(places):
        table = unseal(content)
    for place in places:
        if place is None:
            yield content
        else:
            column, row = place
            yield bytes(table[column][row].as_py()["bytes"])
