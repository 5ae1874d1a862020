"""Reading images of object stores once for all processes of a node."""

from __future__ import annotations

from fsspec.implementations.local import LocalFileSystem

from spadepis.dataset.inputs.shards import file_of_source, read_source
from spadepis.dataset.storage.filesystems import filesystem
from spadepis.dataset.storage.node_cache import kept_content
from spadepis.dataset.storage.retrying import attempt

# The most bytes of images kept on a node; those that were not used for longest are removed.
MOST_IMAGE_BYTES = 2 << 30


def read_image_once(source: str, most_bytes: int) -> bytes:
    """``read_source``, from the store once for all processes of this node.

    Args:
        source: path or URI of an image file, or of an image in a shard.
        most_bytes: larger images in shards and larger local files are refused.

    Raises:
        OSError: the image cannot be read.
    """
    fs, path = filesystem(file_of_source(source))
    if isinstance(fs, LocalFileSystem):
        return read_source(source, most_bytes)
    version = attempt(fs.ukey, path)
    return kept_content(
        "images", source, version, lambda: read_source(source, most_bytes), MOST_IMAGE_BYTES
    )
