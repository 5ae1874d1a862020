"""Which classes each label map has: found once for a dataset, and kept in the image set."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping, Sequence

import pyarrow as pa
import pyarrow.parquet as pq

from spadepis.dataset.image_set.commits import table_to_parquet
from spadepis.dataset.storage.folder import Folder
from spadepis.pipeline.stages.find_classes import SCHEMA

# Names of classes by id of the label map; None for a label map that cannot be read.
Classes = Mapping[str, Sequence[str] | None]


def read_survey(folder: Folder, sources: Mapping[str, str]) -> Classes | None:
    """The classes that an earlier run found in the same label maps, if one did."""
    name = _name(sources)
    if not folder.exists(name):
        return None
    return to_classes(pq.read_table(io.BytesIO(folder.read(name))))


def write_survey(folder: Folder, sources: Mapping[str, str], classes: Classes) -> None:
    """Keep the classes for later runs."""
    columns = [pa.array(classes), pa.array(classes.values(), SCHEMA.field("classes").type)]
    folder.write(_name(sources), table_to_parquet(pa.table(columns, SCHEMA)))


def to_classes(table: pa.Table) -> Classes:
    """The classes in a table of ``SCHEMA``."""
    return dict(zip(table["id"].to_pylist(), table["classes"].to_pylist(), strict=True))


def _name(sources: Mapping[str, str]) -> str:
    digest = hashlib.sha256("\0".join(f"{id}\0{source}" for id, source in sources.items()).encode())
    return f"_survey/classes-{digest.hexdigest()[:32]}.parquet"
