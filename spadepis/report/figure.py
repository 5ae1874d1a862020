"""A figure of an image set, like those of the papers, in a file."""

from __future__ import annotations

import io
import json
from pathlib import PurePosixPath

from spadepis.configuration import ConfigurationError
from spadepis.dataset.image_set.layout import CONFIGURATION
from spadepis.dataset.storage.folder import Folder
from spadepis.labels import LABEL_SPACES, LabelSpace
from spadepis.labels.custom import find_label_space
from spadepis.report.contact_sheet import contact_sheet

# Suffix and the format of Pillow's that it stands for.
FORMATS = {".png": "PNG", ".pdf": "PDF", ".jpg": "JPEG"}
PIXELS_AN_INCH = 150


def write_figure(uri: str, output: str, rows: int, label_space: str | None = None) -> str:
    """Show some scenes of a finished image set, one a row, and return where the file is.

    Args:
        uri: the image set.
        output: path or URI of the file, NAME.png, NAME.pdf or NAME.jpg.
        rows: how many scenes at most.
        label_space: name or YAML file of that of the set; needed where it is one of your own.

    Raises:
        ConfigurationError: no finished image set is there, the file has another suffix or cannot
            be written, or the label space is not known.
    """
    suffix = PurePosixPath(output).suffix.lower()
    if suffix not in FORMATS:
        raise ConfigurationError(f"--output {output}: a figure is one of {', '.join(FORMATS)}")
    folder = Folder(uri)
    space = _label_space(folder) if label_space is None else find_label_space(label_space)
    try:
        sheet = contact_sheet(folder, space, rows)
    except FileNotFoundError as error:
        raise ConfigurationError(f"{folder.uri} holds no finished image set") from error
    buffer = io.BytesIO()
    sheet.save(buffer, FORMATS[suffix], resolution=PIXELS_AN_INCH, quality=95)
    parent, _, name = output.rpartition("/")
    target = Folder(parent or ("/" if output.startswith("/") else "."))
    try:
        target.write(name, buffer.getvalue())
    except OSError as error:
        raise ConfigurationError(f"{output} cannot be written: {error}") from error
    target.clear_staging()
    return f"{target.uri}/{name}"


def _label_space(folder: Folder) -> LabelSpace:
    """That of the job which made an image set."""
    if not folder.exists(CONFIGURATION):
        raise ConfigurationError(f"{folder.uri} holds no image set")
    name = json.loads(folder.read(CONFIGURATION))["label_space"]
    if name not in LABEL_SPACES:
        raise ConfigurationError(f"--label-space: the set is in one of its own, {name}")
    return LABEL_SPACES[name]
