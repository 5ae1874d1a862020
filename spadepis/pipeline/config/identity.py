"""What an image set was made with: two runs may share an output folder only if this is equal."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from hashlib import sha256 as digest
from typing import Any

from spadepis.checkpoints.fetching import fetch_checkpoint
from spadepis.checkpoints.reading import sha256
from spadepis.configuration import ConfigurationError
from spadepis.dataset.image_set.layout import CONFIGURATION
from spadepis.dataset.storage.errors import reason
from spadepis.dataset.storage.folder import Folder
from spadepis.labels import LABEL_SPACES, LabelSpace
from spadepis.pipeline.config.settings import INPUTS, Job, JobConfig, with_dataset

# Settings that do not change what a pair looks like, or only through what is listed instead.
LEFT_OUT = frozenset(
    (
        "config",
        "output",
        "dataset",
        "root",
        "split",
        "where",
        "containing_classes",
        "limit",
        "pairing_table",
        "spade_checkpoint",
        "photowct_checkpoint",
        "max_failed_fraction",
        "retry_failed",
        "replace_rejected",
        "s3_endpoint",
        "s3_anonymous",
        "device",
        "smoothing_device",
        "synthesis_workers",
        "stylization_workers",
        "smoothing_workers",
        "cluster_cpus",
        "cluster_gpus",
    )
)


def identify(job: Job, config: JobConfig, style_ids: Sequence[str]) -> dict[str, Any]:
    """The settings that results depend on, inputs as absolute URIs, checkpoints by SHA-256.

    Raises:
        CheckpointError: a checkpoint cannot be read.
    """
    identity: dict[str, Any] = {"job": job.value}
    config = with_dataset(job, config)
    identity |= config.model_dump(exclude=set(LEFT_OUT))
    identity["label_space"] = _label_space_identity(config.space)
    identity["related_classes"] = _related_classes_identity(config.region_labels)
    for name in INPUTS:
        if identity[name] is not None:
            identity[name] = Folder(identity[name]).uri
    for name in ("spade_checkpoint", "photowct_checkpoint"):
        uri = getattr(config, name)
        identity[f"{name}_sha256"] = None if uri is None else sha256(fetch_checkpoint(uri))
    names = "\n".join(style_ids)
    identity["style_ids"] = f"{len(style_ids)} ({digest(names.encode()).hexdigest()[:12]})"
    return identity


def _label_space_identity(space: LabelSpace) -> str:
    """Name of a label space; for that of a file also a hash of what results depend on."""
    if space.name in LABEL_SPACES:
        return space.name
    content = repr((space.names, space.published_values, space.has_instance_edges, space.size))
    return f"{space.name} ({digest(content.encode()).hexdigest()[:12]})"


def _related_classes_identity(region_labels: Sequence[int] | None) -> str | None:
    """A hash of which classes count as one region, where regions guide the styles."""
    if region_labels is None:
        return None
    return digest(repr(list(region_labels)).encode()).hexdigest()[:12]


def check_identity(folder: Folder, identity: Mapping[str, Any]) -> None:
    """Check that a folder is new, or holds an image set of the same identity.

    Raises:
        ConfigurationError: the folder was made with another configuration, with the difference,
            or cannot be read.
    """
    try:
        earlier = json.loads(folder.read(CONFIGURATION))
    except (FileNotFoundError, NotADirectoryError):
        return
    except OSError as error:
        raise ConfigurationError(f"{folder.uri} cannot be read: {reason(error)}") from error
    differences = [
        f"{name} was {earlier.get(name)}, is {identity.get(name)}"
        for name in sorted(earlier.keys() | identity.keys())
        if earlier.get(name) != identity.get(name)
    ]
    if differences:
        raise ConfigurationError(
            f"{folder.uri} was made with another configuration: {'; '.join(differences)}. "
            "Give another --output, or remove that folder"
        )


def write_identity(folder: Folder, identity: Mapping[str, Any]) -> None:
    """Mark a folder as an image set of this identity.

    Raises:
        ConfigurationError: the folder cannot be written.
    """
    try:
        folder.write(CONFIGURATION, json.dumps(identity, indent=2).encode())
    except OSError as error:
        raise ConfigurationError(f"{folder.uri} cannot be written: {reason(error)}") from error
