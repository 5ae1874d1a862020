"""Which module imports which, read from the source code without running it."""

import ast
from collections.abc import Callable, Iterable, Iterator, Mapping, Set
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from pathlib import Path


@dataclass(frozen=True)
class Import:
    """One module imports another.

    Attributes:
        importer: dotted name of the module that imports.
        imported: dotted name of the module, of this tree or another package.
        deferred: it stands in a function or below ``if TYPE_CHECKING``, so that importing the
            importer does not run it.
        line: where it stands in the importer.
    """

    importer: str
    imported: str
    deferred: bool
    line: int

    def __str__(self) -> str:
        return f"{self.importer}:{self.line} imports {self.imported}"

    def is_of(self, package: str) -> bool:
        """Whether ``package`` or something in it is imported."""
        return is_in(self.imported, package)


def is_in(module: str, package: str) -> bool:
    """Whether a module is a package or lies in it."""
    return module == package or module.startswith(f"{package}.")


def find_modules(root: Path, package: str) -> dict[str, Path]:
    """The files of a package below ``root``, by dotted name."""
    modules = {}
    for path in sorted((root / package).rglob("*.py")):
        name = ".".join(path.relative_to(root).with_suffix("").parts)
        modules[name.removesuffix(".__init__")] = path
    return modules


def read_imports(modules: Mapping[str, Path]) -> list[Import]:
    """All imports of modules, which are given with their files."""
    return [
        Import(name, imported, deferred, statement.lineno)
        for name, path in modules.items()
        for statement, deferred in _statements(ast.parse(path.read_text(encoding="utf-8")))
        for imported in _targets(statement, name, path, modules)
    ]


def loaded_with(module: str, imports: Iterable[Import]) -> dict[str, str]:
    """What importing a module loads, each with the module that imports it.

    Loaded as well are the packages that a module lies in.
    """
    undeferred: dict[str, list[str]] = {}
    for found in imports:
        if not found.deferred:
            undeferred.setdefault(found.importer, []).append(found.imported)
    importers: dict[str, str] = {}
    waiting = [(module, "")]
    while waiting:
        name, importer = waiting.pop()
        if name in importers:
            continue
        importers[name] = importer
        waiting += [(imported, name) for imported in undeferred.get(name, ())]
        if parent := name.rpartition(".")[0]:
            waiting.append((parent, importer))
    return importers


def graph_of(
    imports: Iterable[Import], node_of: Callable[[str], str] = lambda name: name
) -> dict[str, set[str]]:
    """The nodes that each node imports, where ``node_of`` gives a module's node."""
    graph: dict[str, set[str]] = {}
    for found in imports:
        importer, imported = node_of(found.importer), node_of(found.imported)
        if importer != imported:
            graph.setdefault(importer, set()).add(imported)
    return graph


def find_circle(graph: Mapping[str, Set[str]]) -> list[str]:
    """The nodes of a circle in a graph, the first one again at the end; empty if it has none."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        # The sorter goes against the arrows.
        return list(reversed(error.args[1]))
    return []


def _statements(tree: ast.AST, deferred: bool = False) -> Iterator[tuple[ast.stmt, bool]]:
    """The import statements below a node, and whether each is deferred."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield node, deferred
        elif isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"):
            yield from _statements(ast.Module(node.body, []), True)
            yield from _statements(ast.Module(node.orelse, []), deferred)
        else:
            is_function = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
            yield from _statements(node, deferred or is_function)


def _targets(
    statement: ast.stmt, importer: str, path: Path, modules: Mapping[str, Path]
) -> Iterator[str]:
    """The modules that an import statement imports."""
    if isinstance(statement, ast.Import):
        yield from (alias.name for alias in statement.names)
    elif isinstance(statement, ast.ImportFrom):
        source = statement.module or ""
        if statement.level:
            package = importer.split(".") + (["__init__"] if path.name == "__init__.py" else [])
            source = ".".join([*package[: -statement.level], *filter(None, [source])])
        for alias in statement.names:
            name = f"{source}.{alias.name}"
            yield name if name in modules else source
