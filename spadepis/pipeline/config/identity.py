"""What an image set was made with: two runs may share an output folder only if this is equal."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from hashlib import sha256 as digest
from typing import Any

from spadepis.checkpoints.defaults import REPLACED_DEFAULTS
from spadepis.checkpoints.fetching import sha256
from spadepis.configuration import ConfigurationError, flag
from spadepis.dataset.image_set.commit_log import commit_files, read_log
from spadepis.dataset.image_set.layout import CONFIGURATION, INDEX
from spadepis.dataset.image_set.records import DamagedFileError, read_record, write_record
from spadepis.dataset.storage.credentials import without_queries
from spadepis.dataset.storage.folder import Folder
from spadepis.filesystem_errors import reason
from spadepis.labels import LABEL_SPACES, LabelSpace
from spadepis.pipeline.config import groups
from spadepis.pipeline.config.job import Job
from spadepis.pipeline.config.resolution import LONGEST_SIDE_OF_PHOTOS, JobConfig
from spadepis.pipeline.stages.stage import StageSpec

# Inputs, which are compared by their absolute URIs.
SOURCES = ("masks", "instances", "photos", "styles", "style_masks")
CHECKPOINTS = ("spade_checkpoint", "photowct_checkpoint")
# What the keys of an identity are that are not settings.
NOT_FLAGS = {
    "style_ids": "the list of style photos",
    "own_stages": "the stages of your own",
    **{f"{name}_sha256": f"the SHA-256 of {flag(name)}" for name in CHECKPOINTS},
}


def identify(config: JobConfig, style_ids: Sequence[str]) -> dict[str, Any]:
    """The settings that results depend on, inputs as absolute URIs, checkpoints by SHA-256.

    Raises:
        CheckpointError: a checkpoint cannot be read.
        ConfigurationError: a stage of one's own cannot be told from others.
    """
    identity: dict[str, Any] = {"job": config.job.value}
    for group in groups.GROUPS:
        settings = getattr(config, group.name)
        for name in group.settings_of(config.job):
            if group.is_identity(name):
                identity[name] = getattr(settings, name)
    for name in SOURCES:
        if identity.get(name) is not None:
            identity[name] = without_queries(Folder(identity[name]).uri)
    if config.job.synthesizes and config.size is not None:
        # It is not used, and sets of 0.1 name a value all the same.
        del identity["longest_side"]
    else:
        identity["longest_side"] = config.longest_side
    if config.output.output_format == "parquet":
        # A shard holds images of one split.
        identity["split_by"] = config.output.split_by
    identity["label_space"] = _label_space_identity(config.label_space)
    if config.job.stylizes:
        labels = config.region_labels
        if config.styles.related_classes is not None:
            # Version 0.1 did not tell by which of the groups that come along styles were chosen.
            labels = labels or config.matched_labels
        identity["related_classes"] = _related_classes_identity(labels)
    for name in CHECKPOINTS:
        uri = getattr(config.networks, name)
        identity[f"{name}_sha256"] = None if uri is None else sha256(uri)
    identity["own_stages"] = _own_stages_identity(config.own_stages)
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
    """A hash of which classes count as one region, where regions guide or choose the styles."""
    if region_labels is None:
        return None
    return digest(repr(list(region_labels)).encode()).hexdigest()[:12]


def _own_stages_identity(stages: Mapping[str, StageSpec]) -> Mapping[str, str] | None:
    """The stages of one's own as text, which has to be the same whenever the job is run.

    Raises:
        ConfigurationError: an argument is shown as an address in memory.
    """
    shown = {name: str(stage) for name, stage in stages.items()}
    for name, text in shown.items():
        if re.search(r" at 0x[0-9a-f]+>", text):
            raise ConfigurationError(
                f"the stage {name} of your own is {text}: an address is another one in every run, "
                "so that the job could not be resumed; give the class of that argument a __repr__"
            )
    return shown or None


def identity_hash(identity: Mapping[str, Any]) -> str:
    """A hash of an identity, which stays the same when later versions have more settings."""
    defaults = _defaults(identity)
    given = {name: value for name, value in identity.items() if value != defaults[name]}
    return digest(json.dumps(given, sort_keys=True).encode()).hexdigest()[:32]


def check_identity(folder: Folder, identity: Mapping[str, Any]) -> None:
    """Check that a folder is free for an image set, or holds one of the same identity.

    A set without commits is free.

    Raises:
        ConfigurationError: the folder was made with another configuration, with the difference,
            or holds files of somebody else that the index would replace, or cannot be read.
    """
    try:
        earlier = read_record(folder, CONFIGURATION)
    except NotADirectoryError as error:
        raise ConfigurationError(f"{folder.uri} cannot be written: it is a file") from error
    except FileNotFoundError:
        if commit_files(folder):
            _check_rows(folder, identity, "is missing")
        else:
            _refuse_other_files(folder)
        return
    except DamagedFileError as error:
        _check_rows(folder, identity, f"is damaged ({error.why})")
        return
    except OSError as error:
        raise ConfigurationError(f"{folder.uri} cannot be read: {reason(error)}") from error
    # A setting that came later had its default before; one that is gone decides nothing any more.
    before = {name: earlier.get(name, default) for name, default in _defaults(identity).items()}
    differences = [
        f"{_spelt(name)} was {_shown(before[name])}, is {_shown(identity[name])}"
        for name in sorted(identity)
        if before[name] != identity[name]
    ]
    if not differences or not commit_files(folder):
        return
    if before["job"] != identity["job"]:
        # The settings of two jobs differ anyway.
        raise ConfigurationError(
            f"{folder.uri} was made by the job {before['job']}, and this is {identity['job']}. "
            "Give another --output, or remove that folder"
        )
    for name in CHECKPOINTS:
        key = f"{name}_sha256"
        if before.get(key) in REPLACED_DEFAULTS and before[key] != identity[key]:
            raise ConfigurationError(
                f"{folder.uri} was made with default weights that have been replaced. To resume "
                f"it, give {flag(name)} {REPLACED_DEFAULTS[before[key]]}; or give another --output"
            )
    raise ConfigurationError(
        f"{folder.uri} was made with another configuration: {'; '.join(differences)}. "
        "Give another --output, or remove that folder"
    )


def _spelt(name: str) -> str:
    """The key of an identity as a user knows it: most are settings, which are flags."""
    return NOT_FLAGS.get(name, flag(name))


def _shown(value: Any) -> str:
    """The value of an identity as a user would give it."""
    if isinstance(value, bool):
        return "on" if value else "off"
    return "not given" if value is None else str(value)


def _check_rows(folder: Folder, identity: Mapping[str, Any], what: str) -> None:
    """Check by the commit log that a set without a readable configuration has this identity.

    Args:
        folder: the image set.
        identity: of the job.
        what: has become of the configuration.

    Raises:
        ConfigurationError: pairs have another identity, or version 0.1 made them, whose rows do
            not tell, or the log is damaged, too.
    """
    try:
        made_with = set(read_log(folder)["identity"].to_pylist())
    except DamagedFileError:
        made_with = {None}
    if made_with - {identity_hash(identity)}:
        raise ConfigurationError(
            f"{folder.uri}/{CONFIGURATION} {what}, and the commit log does not say that this "
            "configuration made the images. Restore the file from a copy, or give another --output"
        )


def _refuse_other_files(folder: Folder) -> None:
    """Refuse a folder without a configuration of ours if a job would replace files in it.

    Raises:
        ConfigurationError: it holds such files.
    """
    found = [name for name in INDEX if folder.exists(name)]
    if found:
        raise ConfigurationError(
            f"{folder.uri} is no image set and holds {', '.join(found)}, which a job would "
            "replace. Give another --output"
        )


def _defaults(identity: Mapping[str, Any]) -> dict[str, Any]:
    """The default of each key; None where it is not a setting."""
    defaults = groups.default_settings()
    return {name: defaults.get(name) for name in identity}


def default_identity(job: str | None) -> dict[str, Any]:
    """What the settings are in the identity of a job if they are not given."""
    of_photos = {"longest_side": LONGEST_SIDE_OF_PHOTOS} if job == Job.STYLIZE else {}
    return groups.default_settings() | of_photos


def write_identity(folder: Folder, identity: Mapping[str, Any]) -> None:
    """Mark a folder as an image set of this identity.

    Raises:
        ConfigurationError: the folder cannot be written.
    """
    try:
        write_record(folder, CONFIGURATION, identity)
    except OSError as error:
        raise ConfigurationError(f"{folder.uri} cannot be written: {reason(error)}") from error
