"""``--dry-run``: what a job would read and make, without making it."""

from __future__ import annotations

from spadepis.configuration import ConfigurationError
from spadepis.dataset.image_set.layout import CONFIGURATION
from spadepis.dataset.storage.credentials import without_queries
from spadepis.dataset.storage.filesystems import storage_environment
from spadepis.dataset.storage.folder import Folder
from spadepis.pipeline.config.identity import check_identity, identify
from spadepis.pipeline.config.resolution import JobConfig
from spadepis.pipeline.planning.estimate import bytes_of_set
from spadepis.pipeline.planning.input_check import REMEDY, InputCheck, check_inputs, check_text
from spadepis.pipeline.planning.inputs import list_inputs
from spadepis.pipeline.planning.plan import Plan, make_plan, wanted_ids


def dry_run(config: JobConfig) -> str:
    """Check the inputs of a job and say what it would make. Nothing is written.

    Raises:
        ConfigurationError: the job cannot be run, or its inputs are implausible.
        CheckpointError: a checkpoint cannot be read.
    """
    with storage_environment(config.storage_environment):
        inputs = list_inputs(config)
        folder = Folder(config.output.output)
        check_identity(folder, identify(config, inputs.style_ids))
        plan = make_plan(config, inputs)
        check = check_inputs(config, inputs, wanted_ids(config, list(inputs.scenes.images)))
        found = [*check_text(check), *check.warnings]
        lines = [_pairs(config, plan), *found, _output(config, plan, check, folder)]
        print(without_queries("\n".join(lines)))
        refuse_implausible(config, check)
    return "nothing was written, because of --dry-run"


def refuse_implausible(config: JobConfig, check: InputCheck) -> None:
    """Stop a job whose inputs cannot be meant as they were given.

    Raises:
        ConfigurationError: they are implausible, and ``--accept-implausible`` was not given.
    """
    if check.problems and not config.inputs.accept_implausible:
        raise ConfigurationError(f"{'; '.join(check.problems)}. {REMEDY}")


def _pairs(config: JobConfig, plan: Plan) -> str:
    scenes = "label maps" if config.job.synthesizes else "photos"
    text = f"{plan.pairs:,} results of {len(plan.scenes):,} {scenes}"
    if config.wanted_classes:
        text += ", fewer if --containing-classes leaves some out"
    return text


def _output(config: JobConfig, plan: Plan, check: InputCheck, folder: Folder) -> str:
    state = "which exists and would be resumed" if folder.exists(CONFIGURATION) else "a new folder"
    size = config.size
    if size is None and check.label_maps is not None and check.label_maps.sampled:
        heights, widths = zip(*(each.extent.size for each in check.label_maps.sampled), strict=True)
        size = sorted(heights)[len(heights) // 2], sorted(widths)[len(widths) // 2]
    text = f"output: {folder.uri}, {state}"
    if size is None:
        return text
    contents = config.output.keep_contents and config.job.stylizes
    height, width = size
    written = bytes_of_set(len(plan.scenes), plan.pairs, size, contents)
    return f"{text}; about {_shown(written)} at {width}x{height}"


def _shown(size: int) -> str:
    """A number of bytes with two digits."""
    for factor, unit in ((1e12, "TB"), (1e9, "GB"), (1e6, "MB")):
        if size >= factor:
            return (
                f"{size / factor:,.2g} {unit}"
                if size < 100 * factor
                else f"{size / factor:,.0f} {unit}"
            )
    return f"{size / 1e3:,.0f} kB"
