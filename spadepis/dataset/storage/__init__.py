"""Reading, listing and replacing files on any filesystem that fsspec knows."""

from spadepis.dataset.storage.credentials import CredentialsError, refuse_credentials
from spadepis.dataset.storage.filesystems import (
    filesystem,
    kind,
    list_files,
    s3_environment,
    storage_environment,
)
from spadepis.dataset.storage.folder import Folder
from spadepis.dataset.storage.node_cache import local_copy
from spadepis.dataset.storage.reading import RangeFile, read, read_range
from spadepis.dataset.storage.replacement import replacing
from spadepis.dataset.storage.retrying import attempt

__all__ = [
    "CredentialsError",
    "Folder",
    "RangeFile",
    "attempt",
    "filesystem",
    "kind",
    "list_files",
    "local_copy",
    "read",
    "read_range",
    "refuse_credentials",
    "replacing",
    "s3_environment",
    "storage_environment",
]
