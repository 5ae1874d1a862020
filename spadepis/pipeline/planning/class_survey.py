"""Which classes each label map has: found once for a dataset, and kept in the image set."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Mapping

import pyarrow as pa

from spadepis.dataset.image_set.sealed_parquet import SealError, seal, unseal
from spadepis.dataset.storage.folder import Folder

log = logging.getLogger(__name__)

# Names of classes by id of the label map; None for a label map that cannot be read.
Classes = Mapping[str, list[str] | None]
SCHEMA = pa.schema([("id", pa.string()), ("classes", pa.list_(pa.string()))])


def read_survey(folder: Folder, sources: Mapping[str, str]) -> Classes | None:
    """The classes that an earlier run found in the same label maps, if one did."""
    try:
        table = unseal(folder.read(_name(sources)), SCHEMA)
    except FileNotFoundError:
        return None
    except SealError as error:
        log.warning("%s/%s is damaged: %s", folder.uri, _name(sources), error)
        return None
    return dict(zip(*(column.to_pylist() for column in table.columns), strict=True))


def write_survey(folder: Folder, sources: Mapping[str, str], classes: Classes) -> None:
    """Keep the classes for later runs."""
    table = pa.table([list(classes), list(classes.values())], schema=SCHEMA)
    folder.write(_name(sources), seal(table))


def _name(sources: Mapping[str, str]) -> str:
    digest = hashlib.sha256("\0".join(f"{id}\0{source}" for id, source in sources.items()).encode())
    return f"_survey/classes-{digest.hexdigest()[:32]}.parquet"
