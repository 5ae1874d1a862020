"""``--dry-run``: what a job would read and make, without making it."""

from __future__ import annotations

from spadepis.dataset.image_set.layout import CONFIGURATION
from spadepis.dataset.inputs.photos import limited_size
from spadepis.dataset.storage.credentials import without_queries
from spadepis.dataset.storage.filesystems import storage_environment
from spadepis.dataset.storage.folder import Folder
from spadepis.pipeline.config.resolution import JobConfig
from spadepis.pipeline.planning.amounts import bytes_text
from spadepis.pipeline.planning.estimate import bytes_of_set
from spadepis.pipeline.planning.input_check import InputCheck, check_text, refuse_implausible
from spadepis.pipeline.planning.plan import Plan, make_plan
from spadepis.pipeline.planning.preparation import prepare


def dry_run(config: JobConfig) -> str:
    """Check the inputs of a job and say what it would make. Nothing is written.

    Raises:
        ConfigurationError: the job cannot be run, or its inputs are implausible.
        CheckpointError: a checkpoint cannot be read.
    """
    with storage_environment(config.storage_environment):
        job = prepare(config)
        classes = job.classes or job.check.classes
        plan = make_plan(config, job.inputs, classes=classes)
        found = [*check_text(job.check), *job.check.warnings]
        lines = [
            _pairs(config, plan, classes is not None),
            *found,
            _output(config, plan, job.check, job.folder),
        ]
        print(without_queries("\n".join(lines)))
        refuse_implausible(config, job.check)
    return "nothing was written, because of --dry-run"


def _pairs(config: JobConfig, plan: Plan, are_classes_known: bool) -> str:
    scenes = "label maps" if config.job.synthesizes else "photos"
    text = f"{plan.pairs:,} results of {len(plan.scenes):,} {scenes}"
    if config.wanted_classes and not are_classes_known:
        text += ", fewer if --containing-classes leaves some out"
    return text


def _output(config: JobConfig, plan: Plan, check: InputCheck, folder: Folder) -> str:
    state = "which exists and would be resumed" if folder.exists(CONFIGURATION) else "a new folder"
    size = config.size
    if size is None and check.label_maps is not None and check.label_maps.sampled:
        heights, widths = zip(*(each.extent.size for each in check.label_maps.sampled), strict=True)
        size = sorted(heights)[len(heights) // 2], sorted(widths)[len(widths) // 2]
        size = limited_size(size, config.longest_side or max(size))
    text = f"output: {folder.uri}, {state}"
    if size is None:
        return text
    contents = config.output.keep_contents and config.job.stylizes
    height, width = size
    written = bytes_of_set(len(plan.scenes), plan.pairs, size, contents)
    return f"{text}; about {bytes_text(written)} at {width}x{height}"
