"""The cluster that a job runs on: that at ``RAY_ADDRESS``, or this machine."""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import partial
from tempfile import TemporaryFile
from typing import Any

import ray
from ray.data import DataContext
from ray.exceptions import RayTaskError

from spadepis.checkpoints.errors import CheckpointError
from spadepis.configuration import ConfigurationError
from spadepis.pipeline.config.groups import MachineSettings
from spadepis.pipeline.config.resolution import JobConfig
from spadepis.pipeline.ray.control_service import watched
from spadepis.pipeline.ray.processes import whole_start
from spadepis.pipeline.ray.same_code import function_with_same_code
from spadepis.pipeline.ray.shared_attempts import deaths_in_log
from spadepis.pipeline.repeated_errors import RepeatedError
from spadepis.pipeline.resources.allocation import ClusterSize
from spadepis.pipeline.resources.rates import card_of
from spadepis.pipeline.resources.trial import seconds_per_scene
from spadepis.pipeline.stages.declarations import Declaration

log = logging.getLogger(__name__)

# Only on this machine; a cluster has its own.
LOCAL_OBJECT_STORE_BYTES = 1 << 30
ACCELERATOR = "accelerator_type:"
LOG_LEVEL = "RAY_BACKEND_LOG_LEVEL"
STANDARD_ERROR = 2
# After this a cluster is taken to be still coming up.
SECONDS_WITHOUT_A_NODE = 10.0


def on_cluster() -> bool:
    """Whether there is a cluster beside this machine, which may grow, shrink and lose nodes."""
    return "RAY_ADDRESS" in os.environ


@contextmanager
def connection() -> Iterator[None]:
    """A connection to the cluster at ``RAY_ADDRESS``, or a cluster on this machine alone.

    What Ray changes in this process is undone at the end.
    """
    with ExitStack() as stack:
        stack.enter_context(_quiet())
        if not ray.is_initialized():
            stack.enter_context(_started())
        stack.enter_context(deaths_in_log())
        yield


@contextmanager
def _started() -> Iterator[None]:
    alone: dict[str, Any] = {
        "address": "local",
        "include_dashboard": False,
        "object_store_memory": LOCAL_OBJECT_STORE_BYTES,
    }
    arguments = {} if on_cluster() else alone
    # No reports over the network, and no engine logs between the lines of progress.
    defaults = {"RAY_USAGE_STATS_ENABLED": "0", LOG_LEVEL: "fatal"}
    with _environment({**defaults, **os.environ}), _level("ray"):
        log.info("connecting to the cluster" if on_cluster() else "starting Ray on this machine")
        try:
            with _same_handler(), _same_versions(), without_greeting(), whole_start():
                ray.init(**arguments, log_to_driver=False, logging_level=logging.ERROR)
            with watched(ray.get_runtime_context().gcs_address):
                yield
        finally:
            with _same_handler():
                ray.shutdown()


@contextmanager
def _same_handler() -> Iterator[None]:
    """Keep the handler of SIGTERM: Ray sets its own when it starts, and the default at its end."""
    handler = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, handler)


@contextmanager
def without_greeting() -> Iterator[None]:
    """Standard error without the line in which Ray's engine says how much it will log.

    The engine writes past Python, so that the file descriptor itself is replaced; what others
    write meanwhile comes out at the end.
    """
    sys.stderr.flush()
    with TemporaryFile() as held:
        standard_error = os.dup(STANDARD_ERROR)
        os.dup2(held.fileno(), STANDARD_ERROR)
        try:
            yield
        finally:
            sys.stderr.flush()
            os.dup2(standard_error, STANDARD_ERROR)
            os.close(standard_error)
            held.seek(0)
            for line in held:
                if LOG_LEVEL.encode() not in line:
                    os.write(STANDARD_ERROR, line)


@contextmanager
def _same_versions() -> Iterator[None]:
    """Refuse a cluster whose Ray or Python is another, or an address that is none, in one sentence.

    Raises:
        ConfigurationError: it is.
    """
    try:
        yield
    except ValueError as error:
        raise ConfigurationError(
            f"RAY_ADDRESS={os.environ.get('RAY_ADDRESS', '')}: {' '.join(str(error).split())}"
        ) from error
    except RuntimeError as error:
        if "Version mismatch" not in str(error):
            raise
        # Ray's message has a line for each version.
        raise ConfigurationError(
            f"{' '.join(str(error).split())}; use the same environment or image everywhere"
        ) from None


@contextmanager
def _quiet() -> Iterator[None]:
    """No progress in Ray's blocks, since it is shown in pairs, and errors told once, by us."""
    context = DataContext.get_current()
    before = context.enable_progress_bars, context.raise_original_map_exception
    context.enable_progress_bars, context.raise_original_map_exception = False, True
    try:
        with _level("ray.data", logging.CRITICAL):
            yield
    finally:
        context.enable_progress_bars, context.raise_original_map_exception = before


@contextmanager
def errors_of_workers() -> Iterator[None]:
    """Raise the error of a file that a worker raised, without the stacks of Ray's processes.

    Raises:
        OSError: a worker raised it.
        RepeatedError: a worker cannot even start, or is not to compute with the code that it has.
    """
    try:
        yield
    except RayTaskError as error:
        if isinstance(error.cause, OSError | RepeatedError):
            raise error.cause from None
        if isinstance(error.cause, ImportError):
            raise RepeatedError(str(error.cause)) from None
        raise


@contextmanager
def _level(name: str, level: int | None = None) -> Iterator[None]:
    """Set the level of a logger if one is given, and put back what it was before."""
    logger = logging.getLogger(name)
    before = logger.level
    if level is not None:
        logger.setLevel(level)
    try:
        yield
    finally:
        logger.setLevel(before)


@contextmanager
def _environment(variables: Mapping[str, str]) -> Iterator[None]:
    """Set environment variables, and put back what they were before."""
    before = dict(os.environ)
    os.environ.update(variables)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def present_size() -> ClusterSize:
    """What the cluster has now."""
    resources = ray.cluster_resources()
    # Ray has a resource for each kind of accelerator.
    kinds = [name for name in resources if name.startswith(ACCELERATOR)]
    card = card_of(kinds[0].removeprefix(ACCELERATOR) if kinds else None)
    return ClusterSize(resources.get("CPU", 0.0), resources.get("GPU", 0.0), card)


def full_size(machines: MachineSettings, present: ClusterSize) -> ClusterSize:
    """What the cluster may grow to.

    Raises:
        ConfigurationError: nothing at all, or this machine is to grow.
    """
    given = machines.cluster_cpus, machines.cluster_gpus
    if not on_cluster() and given != (None, None):
        raise ConfigurationError(
            "--cluster-cpus and --cluster-gpus are for the cluster at RAY_ADDRESS, which is not set"
        )
    cpus, gpus = given
    full = ClusterSize(
        present.cpus if cpus is None else cpus,
        present.gpus if gpus is None else gpus,
        present.card,
    )
    if not full.cpus:
        raise ConfigurationError(
            "the cluster has no CPU yet: --cluster-cpus says how many it may grow to"
        )
    return full


def try_stages(config: JobConfig, styles: float) -> dict[Declaration, float]:
    """``seconds_per_scene`` where scenes will be computed: on a cluster on one of its nodes.

    Raises:
        CheckpointError: a checkpoint cannot be read or does not fit.
        ConfigurationError: a stage cannot do scenes of this size, or the node has other code.
    """
    if not on_cluster():
        return seconds_per_scene(config, styles)
    with connection():
        # The driver may be on a node that has no more than it needs itself.
        trial = ray.remote(num_cpus=1, runtime_env={"env_vars": dict(config.storage_environment)})
        work = function_with_same_code(partial(seconds_per_scene, config, styles))
        running = trial(work).remote()
        if not ray.wait([running], timeout=SECONDS_WITHOUT_A_NODE)[0]:
            log.info("a trial of the stages runs, or waits until the cluster has a node with a CPU")
        try:
            seconds: dict[Declaration, float] = ray.get(running)
        except (CheckpointError, ConfigurationError) as error:
            # Ray's own error shows the stack of the other process; the first one is within it.
            raise error.args[0] from None
        except ImportError as error:
            raise ConfigurationError(str(error.args[0])) from None
    return seconds
