"""Scenes for the quality metrics: what a job has made of label maps in several styles."""

from __future__ import annotations

from itertools import cycle, islice

import numpy as np

from spadepis.dataset.inputs.listing import list_images
from spadepis.pipeline.scene import Scene, Style
from tools.benchmark.inputs import Inputs


def finished_scenes(inputs: Inputs, styles_folder: str) -> list[Scene]:
    """A scene for each content, whose results are in the styles of the inputs.

    Args:
        inputs: contents and styles.
        styles_folder: folder of the photos that results are compared with.
    """
    sources = list_images(styles_folder).images
    stylized = (inputs.stylized() * 255).astype(np.uint8)
    styles = [Style(id, sources[id]) for id in islice(cycle(sources), stylized.shape[1])]
    label_maps = inputs.labels.numpy().astype(np.uint8)
    made = zip(label_maps, inputs.contents, stylized, strict=True)
    return [
        Scene(str(n), list(styles), label_map=labels, content=content, results=list(results))
        for n, (labels, content, results) in enumerate(made)
    ]
