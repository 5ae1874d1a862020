"""The demonstration: a whole job on the inputs and with the models that come with spadepis."""

from __future__ import annotations

from importlib.resources import files

import numpy as np

from spadepis.configuration import ConfigurationError
from spadepis.dataset.encoding import encode_jpeg
from spadepis.dataset.inputs.listing import SourceError, list_images
from spadepis.dataset.storage.folder import Folder
from spadepis.labels import COCO_STUFF
from spadepis.pipeline.config.job import Job
from spadepis.pipeline.config.resolution import JobConfig, resolve
from spadepis.report.contact_sheet import contact_sheet

OUTPUT = "spadepis-demo"
INPUTS = files("spadepis") / "demo" / "inputs"
STYLES_PER_MASK = 3
CONTACT_SHEET = "contact_sheet.jpg"
JPEG_QUALITY = 92


def demo_config(
    output: str = OUTPUT,
    masks: str | None = None,
    instances: str | None = None,
    styles: str | None = None,
    label_space: str = COCO_STUFF.name,
    accept_implausible: bool = False,
) -> JobConfig:
    """The settings of the demonstration: what is not given is what comes with spadepis.

    Args:
        output: folder of the image set.
        masks: label maps.
        instances: their instance maps; of other label maps than the shipped there are none.
        styles: style photos; if they are fewer than three, each mask gets all of them.
        label_space: label space of the label maps.
        accept_implausible: whether label maps need not look like those of the label space.

    Raises:
        ConfigurationError: there are no style photos.
    """
    if masks is None:
        if label_space != COCO_STUFF.name:
            raise ConfigurationError(
                f"--label-space {label_space} goes with --masks: the label maps that come with "
                f"spadepis are of {COCO_STUFF.name}"
            )
        masks = str(INPUTS / "masks")
        instances = instances or str(INPUTS / "instances")
    styles = styles or str(INPUTS / "styles")
    try:
        style_count = len(list_images(styles, exclude=Folder(output).uri).images)
    except SourceError as error:
        raise ConfigurationError(str(error)) from error
    settings = {
        "masks": masks,
        "instances": instances,
        "styles": styles,
        "output": output,
        "label_space": label_space,
        "accept_implausible": accept_implausible,
        "styles_per_mask": min(STYLES_PER_MASK, style_count),
    }
    return resolve(Job.SYNTHESIZE_AND_STYLIZE, settings)


def run_demo(config: JobConfig) -> int:
    """Run the job, make its contact sheet, print what came out, and return the exit status.

    Raises:
        ConfigurationError: the configuration cannot be run; nothing was written.
        CheckpointError: a checkpoint does not fit; nothing was written.
    """
    # Ray takes seconds to import; a wrong flag should not.
    from spadepis.pipeline.ray.job import run

    outcome = run(config)
    folder = Folder(config.output.output)
    sheet = np.asarray(contact_sheet(folder, config.label_space))
    folder.write(CONTACT_SHEET, encode_jpeg(sheet, JPEG_QUALITY))
    folder.clear_staging()
    print(outcome.summary)
    print(f"contact sheet: {folder.uri_of(CONTACT_SHEET)}")
    return outcome.status
