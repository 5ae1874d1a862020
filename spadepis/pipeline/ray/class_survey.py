"""Which classes are in which label map, found once for a whole dataset."""

from __future__ import annotations

import hashlib
import io
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from spadepis.dataset.image_set.commits import table_to_parquet
from spadepis.dataset.inputs.image_files import UnreadableImageError
from spadepis.dataset.inputs.label_maps import read_classes
from spadepis.dataset.storage.folder import Folder
from spadepis.labels import LabelSpace
from spadepis.pipeline.ray.parallel_map import on_all_cpus

log = logging.getLogger(__name__)

LABEL_MAPS_IN_BLOCK = 256
SCHEMA = pa.schema([("id", pa.string()), ("classes", pa.list_(pa.string()))])

# Names of classes by id of the label map; None where it cannot be read.
Classes = Mapping[str, Sequence[str] | None]


@dataclass(frozen=True)
class FindClasses:
    """Read label maps and find their classes.

    Attributes:
        label_space: decodes the label maps.
        max_pixels: files with more are refused.
    """

    label_space: LabelSpace
    max_pixels: int

    def __call__(self, batch: pa.Table) -> pa.Table:
        """From columns ``id`` and ``source`` to rows of ``SCHEMA``."""
        classes = [self._classes(source) for source in batch["source"].to_pylist()]
        return pa.table([batch["id"], pa.array(classes, SCHEMA.field("classes").type)], SCHEMA)

    def _classes(self, source: str) -> list[str] | None:
        try:
            label_map = read_classes(source, self.label_space, self.max_pixels)
        except UnreadableImageError:
            return None
        return [self.label_space.names[index] for index in np.unique(label_map)]


def find_classes(
    sources: Mapping[str, str], stage: FindClasses, environment: Mapping[str, str]
) -> Classes:
    """Read label maps on all CPUs of the cluster.

    Args:
        sources: of the label maps by id.
        stage: reads them.
        environment: variables of the processes that do.
    """
    log.info("reading the classes of %d label maps", len(sources))
    table = pa.table({"id": list(sources), "source": list(sources.values())})
    arguments = {"label_space": stage.label_space, "max_pixels": stage.max_pixels}
    found = on_all_cpus(table, FindClasses, arguments, LABEL_MAPS_IN_BLOCK, environment)
    return _to_mapping(found)


def read_survey(folder: Folder, sources: Mapping[str, str]) -> Classes | None:
    """The classes that an earlier run found in the same label maps, if one did."""
    name = _name(sources)
    if not folder.exists(name):
        return None
    return _to_mapping(pq.read_table(io.BytesIO(folder.read(name))))


def write_survey(folder: Folder, sources: Mapping[str, str], classes: Classes) -> None:
    """Keep what was found, for later runs."""
    columns = [pa.array(classes), pa.array(classes.values(), SCHEMA.field("classes").type)]
    folder.write(_name(sources), table_to_parquet(pa.table(columns, SCHEMA)))


def _name(sources: Mapping[str, str]) -> str:
    digest = hashlib.sha256("\0".join(f"{id}\0{source}" for id, source in sources.items()).encode())
    return f"_survey/classes-{digest.hexdigest()[:32]}.parquet"


def _to_mapping(table: pa.Table) -> Classes:
    return dict(zip(table["id"].to_pylist(), table["classes"].to_pylist(), strict=True))
