"""Workers compute only with the code that the driver has, and say so where it is another."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from ray import cloudpickle
from ray.exceptions import RayTaskError

from spadepis import __version__
from spadepis.configuration import ConfigurationError
from spadepis.pipeline.ray.cluster import connection, errors_of_workers
from spadepis.pipeline.ray.same_code import class_with_same_code, code_here, function_with_same_code
from spadepis.pipeline.repeated_errors import RepeatedError
from tests.support.cluster_nodes import add_node, head_alone

# Unpickles a callable, calls it with its own arguments, and shows how that ended.
CALLER = """\
import pickle, sys
work = pickle.load(sys.stdin.buffer)
if isinstance(work, type):
    work = work()
try:
    print(work(*sys.argv[1:]))
except ImportError as error:
    print(f"ImportError: {error}")
"""


class Greeting:
    def __call__(self, name: str) -> str:
        return f"hello {name}"


def answer() -> int:
    return 42


@pytest.fixture
def other_version(tmp_path: Path) -> str:
    """A folder for PYTHONPATH with a spadepis that has a version and nothing else."""
    package = tmp_path / "other" / "spadepis"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text('__version__ = "0.0.7"\n')
    return str(package.parent)


def call_elsewhere(work: object, path: str, *arguments: str) -> str:
    """What a process prints that has another PYTHONPATH and gets a pickled callable."""
    done = subprocess.run(
        [sys.executable, "-P", "-c", CALLER, *arguments],
        input=cloudpickle.dumps(work),
        env=os.environ | {"PYTHONPATH": path},
        capture_output=True,
        check=True,
    )
    shown: str = done.stdout.decode().strip()
    return shown


@pytest.mark.parametrize(
    ("guarded", "arguments", "expected"),
    [
        (lambda: function_with_same_code(answer), (), "42"),
        (lambda: class_with_same_code(Greeting), ("you",), "hello you"),
    ],
    ids=["function", "class"],
)
def test_other_code_is_refused_before_anything_of_it_is_imported(
    guarded: Callable[[], object], arguments: tuple[str, ...], expected: str, other_version: str
) -> None:
    root = str(Path(__file__).parents[3])
    assert call_elsewhere(guarded(), root, *arguments) == expected
    refused = call_elsewhere(guarded(), other_version, *arguments)
    assert refused.startswith(f"ImportError: the driver has {code_here()}, but ")
    assert "has spadepis 0.0.7 (source " in refused and "use the same environment" in refused


def test_the_same_version_with_another_source_is_other_code(tmp_path: Path) -> None:
    package = tmp_path / "spadepis"
    package.mkdir()
    (package / "__init__.py").write_text(f'__version__ = "{__version__}"\n')
    refused = call_elsewhere(function_with_same_code(answer), str(tmp_path))
    assert refused.count(f"spadepis {__version__} (source ") == 2


def test_a_worker_with_other_code_ends_the_job_with_a_sentence() -> None:
    with pytest.raises(RepeatedError, match=r"^the driver has"), errors_of_workers():
        raise RayTaskError("call", "a stack", ImportError("the driver has another"))


def test_another_ray_or_python_is_refused_in_a_sentence(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from ray._private.utils import check_version_info

    def init(**arguments: object) -> None:
        metadata = {"ray_version": "2.1.0", "python_version": "3.7.1"}
        check_version_info(metadata, "node 10.0.0.7")

    monkeypatch.setattr("ray.init", init)
    monkeypatch.setattr("ray.is_initialized", lambda: False)
    monkeypatch.setenv("RAY_ADDRESS", "10.0.0.7:6379")
    with pytest.raises(ConfigurationError) as refused, connection():
        pass
    assert "\n" not in str(refused.value)
    assert "The cluster was started with: Ray: 2.1.0 Python: 3.7.1 This" in str(refused.value)


@pytest.mark.job
def test_a_job_on_a_node_with_another_version_writes_nothing(
    other_version: str,
    tmp_path: Path,
    make_label_maps: Callable[..., str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    output = tmp_path / "out"
    job = [
        *(sys.executable, "-m", "spadepis", "run", "synthesize", f"--output={output}"),
        *(f"--masks={make_label_maps(tmp_path / 'masks')}", "--size=64x64"),
    ]
    root = str(Path(__file__).parents[3])
    # The node has its environment from this process.
    monkeypatch.setenv("PYTHONPATH", other_version)
    with head_alone() as nodes:
        add_node(nodes, cpus=2)
        nodes.wait_for_nodes()
        variables = {"RAY_ADDRESS": nodes.address, "PYTHONPATH": root}
        # Workers look for modules in the folder of the driver, too.
        done = subprocess.run(
            job, env=os.environ | variables, cwd=tmp_path, capture_output=True, text=True
        )
    assert done.returncode == 2, done.stderr
    assert "error: the driver has spadepis" in done.stderr
    assert "has spadepis 0.0.7 (source" in done.stderr and "Traceback" not in done.stderr
    assert not [path for path in output.rglob("*") if path.is_file()]
