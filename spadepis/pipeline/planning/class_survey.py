"""Which classes each label map has: found once for a dataset, and kept in the image set."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterable, Mapping

from spadepis.dataset.image_set.sealed_parquet import SealError, seal, unseal
from spadepis.dataset.storage.folder import Folder
from spadepis.pipeline.rows import from_table, to_table
from spadepis.pipeline.stages.find_classes import LabelMapClasses

log = logging.getLogger(__name__)

# Names of classes by id of the label map; None for a label map that cannot be read.
Classes = Mapping[str, list[str] | None]


def read_survey(folder: Folder, sources: Mapping[str, str]) -> Classes | None:
    """The classes that an earlier run found in the same label maps, if one did."""
    try:
        return to_classes(from_table(unseal(folder.read(_name(sources))), LabelMapClasses))
    except FileNotFoundError:
        return None
    except SealError as error:
        log.warning("%s/%s is damaged: %s", folder.uri, _name(sources), error)
        return None


def write_survey(folder: Folder, sources: Mapping[str, str], classes: Classes) -> None:
    """Keep the classes for later runs."""
    rows = [LabelMapClasses(id, names) for id, names in classes.items()]
    folder.write(_name(sources), seal(to_table(rows, LabelMapClasses)))


def to_classes(found: Iterable[LabelMapClasses]) -> Classes:
    """The classes by id of the label map."""
    return {each.id: each.classes for each in found}


def _name(sources: Mapping[str, str]) -> str:
    digest = hashlib.sha256("\0".join(f"{id}\0{source}" for id, source in sources.items()).encode())
    return f"_survey/classes-{digest.hexdigest()[:32]}.parquet"
