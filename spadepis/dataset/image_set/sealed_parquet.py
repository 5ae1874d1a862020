"""Parquet files that hold a SHA-256 of themselves, so that damage to them is found.

The checksums that Parquet has itself cover neither its footer, which says how many rows there are,
nor every page.
"""

from __future__ import annotations

import hashlib
import io
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

KEY = b"sha256"
# Stands in the place of the hash while it is computed.
BLANK = b"0" * 64


class SealError(ValueError):
    """A file is not what was written."""


def seal(table: pa.Table, **options: Any) -> bytes:
    """A table as the bytes of a Parquet file with a hash of the whole file in its metadata.

    The options are those of ``pyarrow.parquet.write_table``.
    """
    metadata = {**(table.schema.metadata or {}), KEY: BLANK}
    buffer = io.BytesIO()
    pq.write_table(table.replace_schema_metadata(metadata), buffer, **options)
    content = buffer.getvalue()
    before, _, after = content.rpartition(BLANK)
    return before + hashlib.sha256(content).hexdigest().encode() + after


def unseal(content: bytes, schema: pa.Schema | None = None) -> pa.Table:
    """The rows of a file that ``seal`` made. Files of version 0.1 have no hash.

    Args:
        content: bytes of the file.
        schema: of the result, where columns that the file does not have are null. Default: that
            of the file.

    Raises:
        SealError: the file is damaged.
    """
    try:
        metadata = pq.read_metadata(io.BytesIO(content)).metadata or {}
        table = pq.read_table(io.BytesIO(content), schema=schema, use_threads=False)
    # What pyarrow raises depends on the damage.
    except (pa.ArrowException, OSError, ValueError, KeyError) as error:
        raise SealError("it is not a Parquet file of this kind") from error
    digest = metadata.get(KEY)
    if digest is not None:
        # An empty one, which damage can make, is found nowhere.
        before, _, after = content.rpartition(digest or BLANK)
        if hashlib.sha256(before + BLANK + after).hexdigest().encode() != digest:
            raise SealError("its checksum does not match")
    return table
