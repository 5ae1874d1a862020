"""The models that a job uses: its checkpoints, and those that come with spadepis."""

from __future__ import annotations

import logging
from collections.abc import Collection, Sequence

from spadepis.checkpoints.defaults import (
    DEFAULT_PHOTOWCT_CHECKPOINT,
    DEFAULT_SPADE_CHECKPOINT,
    MODEL_CARD,
)
from spadepis.checkpoints.errors import CheckpointError
from spadepis.checkpoints.release import RELEASED_PHOTOWCT, RELEASED_SPADE
from spadepis.configuration import ConfigurationError, flag
from spadepis.dataset.storage.filesystems import kind
from spadepis.filesystem_errors import reason
from spadepis.labels import COCO_STUFF, LabelSpace
from spadepis.labels.translation import TRANSLATED_SPACES, coco_stuff_classes
from spadepis.pipeline.config.groups import NetworkSettings
from spadepis.pipeline.config.job import Job

log = logging.getLogger(__name__)

# The stage that SPADE is; its declaration takes a while to import, which ``--help`` should not.
GENERATOR_STAGE = "synthesize"
# What helps if there is no generator for a label space of one's own.
OWN_GENERATOR = (
    f"train one, or translate your label maps to {COCO_STUFF.name} (examples/own_label_space.md)"
)


def find_models(
    job: Job, networks: NetworkSettings, space: LabelSpace, own_stages: Collection[str] = ()
) -> tuple[NetworkSettings, LabelSpace, Sequence[int] | None]:
    """The checkpoints of a job whose label maps have this label space, and what they understand.

    Args:
        job: what is made.
        networks: settings of the networks.
        space: label space of the label maps.
        own_stages: names of the stages that others take the place of; one may be the generator.

    Returns:
        The settings with models for checkpoints that were not given; the label space that the
        generator was trained for; and its class for each class of the label maps, by class index,
        None if they are the same.

    Raises:
        ConfigurationError: no default model serves this label space.
    """
    needs_spade = job.synthesizes and GENERATOR_STAGE not in own_stages
    networks = _with_released(job, networks, space, needs_spade)
    defaults: dict[str, str] = {}
    if needs_spade and networks.spade_checkpoint is None:
        defaults["spade_checkpoint"] = DEFAULT_SPADE_CHECKPOINT
    if job.stylizes and networks.photowct_checkpoint is None:
        defaults["photowct_checkpoint"] = DEFAULT_PHOTOWCT_CHECKPOINT
    served = {COCO_STUFF.name, *TRANSLATED_SPACES}
    if "spade_checkpoint" in defaults and space.generator_space not in served:
        raise ConfigurationError(
            f"the label space {space.name} needs --spade-checkpoint: the default model serves "
            f"only {', '.join(sorted(served))}; {OWN_GENERATOR}"
        )
    if defaults:
        log.info(
            "no %s given: using the small models that come with spadepis (see %s)",
            " and no ".join(map(flag, defaults)),
            MODEL_CARD,
        )
    networks = networks.model_copy(update=defaults)
    if "spade_checkpoint" not in defaults or space.generator_space == COCO_STUFF.name:
        return networks, space, None
    log.info(
        "the default model was trained for %s: each class of %s is synthesized as the class of %s "
        "that is most like it",
        COCO_STUFF.name,
        space.name,
        COCO_STUFF.name,
    )
    return networks, COCO_STUFF, coco_stuff_classes(space)


def refuse_missing_checkpoints(networks: NetworkSettings, given: Collection[str]) -> None:
    """Check that the checkpoints that ``find_models`` gave exist, before anything that takes long.

    Raises:
        CheckpointError: a checkpoint does not exist or is no file, or the filesystem does not tell.
    """
    for name in ("spade_checkpoint", "photowct_checkpoint"):
        uri = getattr(networks, name)
        if uri is None:
            continue
        try:
            found = kind(uri)
        except OSError as error:
            raise CheckpointError(f"checkpoint {uri} cannot be read: {reason(error)}") from error
        if found == "directory":
            raise CheckpointError(
                f"{flag(name)} {uri}: this is a folder or a web page, not a file of weights"
            )
        if found is not None:
            continue
        if name in given or networks.checkpoints is None:
            raise CheckpointError(f"{flag(name)} {uri}: there is no such file")
        file = uri.removeprefix(networks.checkpoints.rstrip("/") + "/")
        raise CheckpointError(
            f"--checkpoints {networks.checkpoints}: there is no {file}; docs/checkpoints.md says "
            "where to get it. Without --checkpoints, the small models that come with spadepis "
            "are used"
        )


def _with_released(
    job: Job, networks: NetworkSettings, space: LabelSpace, needs_spade: bool
) -> NetworkSettings:
    """The networks, with files of the folder of published checkpoints for those not given.

    Raises:
        ConfigurationError: there is no published generator for this label space.
    """
    if networks.checkpoints is None:
        return networks
    folder = networks.checkpoints.rstrip("/")
    released: dict[str, str] = {}
    if needs_spade and networks.spade_checkpoint is None:
        if space.generator_space not in RELEASED_SPADE:
            raise ConfigurationError(
                f"the label space {space.name} needs --spade-checkpoint: --checkpoints has "
                f"generators only for {', '.join(RELEASED_SPADE)}; {OWN_GENERATOR}"
            )
        released["spade_checkpoint"] = f"{folder}/{RELEASED_SPADE[space.generator_space]}"
    if job.stylizes and networks.photowct_checkpoint is None:
        released["photowct_checkpoint"] = f"{folder}/{RELEASED_PHOTOWCT}"
    return networks.model_copy(update=released)
