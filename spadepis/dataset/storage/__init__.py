"""Whole objects and listings on any filesystem that fsspec knows."""

from spadepis.dataset.storage.filesystems import (
    CredentialsError,
    RangeFile,
    attempt,
    filesystem,
    kind,
    list_files,
    read,
    read_range,
    refuse_credentials,
    s3_environment,
    storage_environment,
)

__all__ = [
    "CredentialsError",
    "RangeFile",
    "attempt",
    "filesystem",
    "kind",
    "list_files",
    "read",
    "read_range",
    "refuse_credentials",
    "s3_environment",
    "storage_environment",
]
