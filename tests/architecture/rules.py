"""The rules of the house: which of its rooms may import what."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from tests.architecture.imports import (
    Import,
    find_circle,
    find_modules,
    graph_of,
    is_in,
    loaded_with,
    read_imports,
)

PACKAGE = "spadepis"
NUMERIC = ("spade", "photowct", "smoothing", "quality", "deblocking")
# What numeric rooms build on.
BELOW_NUMERIC = ("kernels", "checkpoints", "labels")
# Rooms whose modules and folders are rooms themselves.
DIVIDED = ("dataset", "pipeline")
FILE_LIBRARIES = ("fsspec", "pyarrow", "filelock")
# They take seconds to import, and a wrong flag or ``--help`` should not.
SLOW = ("torch", "torchvision", "numba", "scipy", "skimage", "ray")
QUICK = ("spadepis.cli", "spadepis.configuration", "spadepis.__main__")


class House:
    """The modules of the package below ``root``, and what they import."""

    def __init__(self, root: Path) -> None:
        self.modules: Mapping[str, Path] = find_modules(root, PACKAGE)
        self.imports: Sequence[Import] = read_imports(self.modules)
        self.inner: Sequence[Import] = [
            found for found in self.imports if found.is_of(PACKAGE) and found.importer != PACKAGE
        ]


def ray_outside_its_room(house: House) -> Iterator[str]:
    """``pipeline.ray`` alone imports Ray."""
    for found in house.imports:
        if found.is_of("ray") and not is_in(found.importer, f"{PACKAGE}.pipeline.ray"):
            yield str(found)


def numeric_rooms_that_import_others(house: House) -> Iterator[str]:
    """Numeric rooms import themselves and what is below them: no files, no job, not each other."""
    for found in house.imports:
        room = _room(found.importer)
        if room not in NUMERIC:
            continue
        of_package = found.is_of(PACKAGE) and _room(found.imported) not in (room, *BELOW_NUMERIC)
        if of_package or any(found.is_of(library) for library in FILE_LIBRARIES):
            yield str(found)


def slow_imports_of_the_command(house: House) -> Iterator[str]:
    """The command and its configuration load nothing that takes seconds."""
    for module in house.modules:
        if not any(is_in(module, quick) for quick in QUICK):
            continue
        importers = loaded_with(module, house.imports)
        for library in SLOW:
            for loaded in importers:
                if is_in(loaded, library):
                    yield " < ".join(_chain(loaded, importers))
                    break


def circle_of_modules(house: House) -> Sequence[str]:
    """Modules that import each other in a circle, the first one again at the end."""
    return find_circle(graph_of(house.inner))


def circle_of_rooms(house: House) -> Sequence[str]:
    """Folders of the package that import each other in a circle."""
    return find_circle(graph_of(house.inner, _room))


def circle_of_inner_rooms(house: House) -> Sequence[str]:
    """The same where ``dataset`` and ``pipeline`` are each divided into their own rooms."""
    return find_circle(graph_of(house.inner, _inner_room))


def _chain(loaded: str, importers: Mapping[str, str]) -> Iterator[str]:
    while loaded:
        yield loaded
        loaded = importers[loaded]


def _room(module: str) -> str:
    """The folder or module right below the package that a module is in."""
    return ".".join(module.split(".")[1:2])


def _inner_room(module: str) -> str:
    room = _room(module)
    return ".".join(module.split(".")[1:3]) if room in DIVIDED else room
