"""Comparing the listing of an image set with the objects that its commit log names."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from spadepis.dataset.image_set.layout import KINDS, OBJECT_FOLDERS, object_name
from spadepis.dataset.image_set.verification import Problem
from spadepis.dataset.storage.folder import Folder

# Sets with more objects are listed with several requests at a time.
FEW_OBJECTS = 20_000


def missing_or_cut(folder: Folder, log: pa.Table) -> list[Problem]:
    """The objects that a commit log names and that are not there, or have another size.

    No object is opened. Rows of version 0.1 do not tell sizes.
    """
    expected = expected_sizes(log)
    if not expected:
        return []
    found = object_sizes(folder, len(expected))
    problems = []
    for name, sizes in expected.items():
        size = found.get(name)
        if size is None:
            problems.append(Problem(name, "missing"))
        elif None not in sizes and size not in sizes:
            known = " or ".join(map(str, sorted(filter(None, sizes))))
            problems.append(Problem(name, f"has {size} bytes, not {known}"))
    return problems


def object_sizes(folder: Folder, about: int) -> dict[str, int]:
    """Size in bytes of each file in the folders of images, of which there are about so many."""
    return {
        name: size
        for subfolder in OBJECT_FOLDERS
        for name, size in folder.sizes(subfolder, in_parts=about > FEW_OBJECTS).items()
    }


def expected_sizes(log: pa.Table) -> dict[str, set[int | None]]:
    """The sizes that the rows of a log give for each object: one, or None where they do not tell.

    There are several where a run on another machine wrote the photo of a scene again.
    """
    columns = [
        pa.table({"name": log[kind.name_column], "size": log[kind.size_column]}) for kind in KINDS
    ]
    named = pa.concat_tables(columns).filter(pc.field("name").is_valid())
    distinct = named.group_by(["name", "size"]).aggregate([])
    sizes: dict[str, set[int | None]] = {}
    for name, size in zip(distinct["name"].to_pylist(), distinct["size"].to_pylist(), strict=True):
        sizes.setdefault(object_name(name), set()).add(size)
    return sizes
