"""A small image set in place of what a job writes."""

from pathlib import Path
from typing import Any

import numpy as np

from spadepis.dataset.encoding import encode_png
from spadepis.dataset.image_set.commits import Commit, to_table
from spadepis.dataset.image_set.index import write_index
from spadepis.dataset.image_set.writer import Encoded, ImageSetWriter
from spadepis.dataset.storage.folder import Folder
from spadepis.labels import COCO_STUFF
from spadepis.labels.training import TrainingLabels
from spadepis.quality.metrics import METRICS


def write_image_set(path: Path, size: int) -> None:
    """Write an image set of one label map in three styles, of random pixels."""
    folder = Folder(str(path))
    writer = ImageSetWriter(folder, "jpg", 95)
    random = np.random.default_rng(0)
    pairs = []
    for style in ("dusk-01", "dusk-02", "fog-01"):
        image = writer.encode(random.integers(0, 255, (size, size, 3), dtype=np.uint8))
        mask = encode_png(random.integers(0, 182, (size, size), dtype=np.uint8))
        details: dict[str, Any] = {"height": size, "width": size, "classes": ["car", "road"]}
        details["quality"] = dict.fromkeys(METRICS, 0.5)
        commit = Commit("a", style, "a.png", f"{style}.jpg", **details)
        pairs.append(Encoded(commit, image, mask, image))
    manifest = {"pairs": 3, "label_space": TrainingLabels.of(COCO_STUFF).to_manifest()}
    write_index(folder, to_table(writer.publish(pairs)), {"README.md": "card"}, manifest)
