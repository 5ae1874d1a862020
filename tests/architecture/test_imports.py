"""The imports of the package keep the rules of the house, and the check of each rule can fail."""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import pytest

from tests.architecture.imports import Import, find_circle, find_modules, read_imports
from tests.architecture.rules import (
    House,
    circle_of_inner_rooms,
    circle_of_modules,
    circle_of_rooms,
    numeric_rooms_that_import_others,
    ray_outside_its_room,
    slow_imports_of_the_command,
)

Rule = Callable[[House], Iterable[str]]

RULES = (
    ray_outside_its_room,
    numeric_rooms_that_import_others,
    slow_imports_of_the_command,
    circle_of_modules,
    circle_of_rooms,
    circle_of_inner_rooms,
)
# A house with a module of each kind that keeps all rules.
GOOD = {
    "configuration": "import yaml",
    "cli/main": """
import spadepis.configuration

def main() -> None:
    import torch
    from spadepis.pipeline.ray import job
""",
    "checkpoints/reading": "import fsspec, torch",
    "kernels/convolution": "import torch",
    "labels/published": "import numpy",
    "spade/generator": "from spadepis.checkpoints import reading\nfrom spadepis import kernels",
    "photowct/photowct": "import spadepis.kernels.convolution\nfrom .network import Encoder",
    "photowct/network": "import torch",
    "pipeline/scene": "import numpy",
    "pipeline/stages/synthesize": "from spadepis.pipeline.scene import Scene",
    "pipeline/assembly": "from spadepis.pipeline.stages import synthesize",
    "pipeline/ray/job": "from ray.data import Dataset\nfrom spadepis.pipeline import assembly",
}


@pytest.fixture
def build(tmp_path: Path) -> Callable[..., House]:
    """A house of modules by name, with their source code."""

    def write(modules: Mapping[str, str]) -> House:
        package = tmp_path / "spadepis"
        for name, source in modules.items():
            path = package / f"{name}.py"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(source)
        for folder in (package, *(path for path in package.rglob("*") if path.is_dir())):
            (folder / "__init__.py").touch()
        return House(tmp_path)

    return write


@pytest.mark.parametrize("rule", RULES)
def test_the_package_keeps_the_rule(rule: Rule) -> None:
    house = House(Path(__file__).parents[2])
    assert len(house.modules) > 50 and len(house.inner) > 100
    assert not list(rule(house))


@pytest.mark.parametrize("rule", RULES)
def test_a_good_house_keeps_the_rule(rule: Rule, build: Callable[..., House]) -> None:
    assert not list(rule(build(GOOD)))


@pytest.mark.parametrize(
    ("rule", "module", "source", "found"),
    [
        (ray_outside_its_room, "pipeline/stages/write", "import ray.data", "imports ray.data"),
        (ray_outside_its_room, "cli/main", "def f():\n    from ray import init", "imports ray"),
        (
            numeric_rooms_that_import_others,
            "spade/generator",
            "from spadepis.photowct.network import Encoder",
            "spadepis.spade.generator:1 imports spadepis.photowct.network",
        ),
        (numeric_rooms_that_import_others, "quality/look", "import fsspec", "imports fsspec"),
        (
            numeric_rooms_that_import_others,
            "smoothing/solver",
            "from ..pipeline import scene",
            "imports spadepis.pipeline.scene",
        ),
        (slow_imports_of_the_command, "cli/main", "import torch", "torch < spadepis.cli.main"),
        (
            slow_imports_of_the_command,
            "cli/main",
            "from spadepis.spade.generator import SpadeGenerator",
            "torch < spadepis.checkpoints.reading < spadepis.spade.generator < spadepis.cli.main",
        ),
        # Importing a module of a package loads the package.
        (
            slow_imports_of_the_command,
            "configuration",
            "import spadepis.heavy.constants",
            "scipy.stats < spadepis.heavy < spadepis.configuration",
        ),
        (
            circle_of_modules,
            "photowct/network",
            "def later():\n    from spadepis.photowct.photowct import PhotoWCT",
            "spadepis.photowct.network",
        ),
        (circle_of_rooms, "checkpoints/reading", "import spadepis.spade.generator", "checkpoints"),
        (circle_of_inner_rooms, "pipeline/scene", "from . import assembly", "pipeline.assembly"),
    ],
)
def test_a_broken_rule_is_found(
    rule: Rule, module: str, source: str, found: str, build: Callable[..., House]
) -> None:
    heavy = {"heavy/__init__": "from scipy.stats import norm", "heavy/constants": ""}
    violations = list(rule(build(GOOD | heavy | {module: source})))
    assert any(found in violation for violation in violations), violations


def test_imports_are_read_with_their_place(tmp_path: Path) -> None:
    package = tmp_path / "spadepis"
    package.mkdir()
    (package / "__init__.py").write_text("from .a import name\n")
    (package / "a.py").write_text(
        """from typing import TYPE_CHECKING
if TYPE_CHECKING:
    import torch
else:
    import numpy as np
class Model:
    import yaml
    def read(self):
        import fsspec
"""
    )
    assert read_imports(find_modules(tmp_path, "spadepis")) == [
        Import("spadepis", "spadepis.a", False, 1),
        Import("spadepis.a", "typing", False, 1),
        Import("spadepis.a", "torch", True, 3),
        Import("spadepis.a", "numpy", False, 5),
        Import("spadepis.a", "yaml", False, 7),
        Import("spadepis.a", "fsspec", True, 9),
    ]


def test_a_circle_is_found() -> None:
    graph = {"a": {"b", "c"}, "b": {"d"}, "c": {"d"}}
    assert find_circle(graph) == []
    circle = find_circle(graph | {"d": {"b"}})
    assert circle[0] == circle[-1] and set(circle) == {"b", "d"}
