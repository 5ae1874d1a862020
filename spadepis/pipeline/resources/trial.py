"""A short trial of every stage, from which a cluster is shared among them."""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter

import numpy as np
import torch

from spadepis.checkpoints.fetching import fetch_checkpoint
from spadepis.labels import instance_edges
from spadepis.photowct import PhotoWCT
from spadepis.pipeline.config.resolution import JobConfig
from spadepis.pipeline.stages.assess import LEVEL, find_look
from spadepis.pipeline.stages.device_transfer import download, quantize
from spadepis.quality.metrics import Sample, measure
from spadepis.smoothing import smooth
from spadepis.spade import SpadeGenerator

# Of photos that keep their own size.
USUAL_SIZE = (256, 256)
# Regions of the label map of the trial.
REGIONS = 8


def seconds_per_scene(config: JobConfig, styles: float) -> dict[str, float]:
    """Time one made-up scene through the job's stages, on one thread of this machine's CPU.

    The networks are read from their checkpoints, so that one that does not fit is found here, and
    what Numba compiles is compiled, once for all workers of this machine.

    Args:
        config: of the job.
        styles: of a scene, on average.

    Returns:
        Seconds by stage, of a scene with all its styles.

    Raises:
        CheckpointError: a checkpoint cannot be read or does not fit.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return _trial(config, styles)
    finally:
        torch.set_num_threads(threads)


def _trial(config: JobConfig, styles: float) -> dict[str, float]:
    job, networks = config.job, config.networks
    height, width = config.size or USUAL_SIZE
    rows, columns = np.ogrid[:height, :width]
    regions = rows * REGIONS // height + columns * REGIONS // width
    labels = (regions[None] % config.label_space.num_classes).astype(np.uint8)
    content = np.stack([rows * 255 // height + 0 * columns] * 3, axis=2).astype(np.uint8)
    seconds: dict[str, float] = {}
    if job.synthesizes:
        assert networks.spade_checkpoint is not None
        generator = SpadeGenerator.from_checkpoint(
            fetch_checkpoint(networks.spade_checkpoint), config.label_space
        )
        edges = instance_edges(labels) if config.label_space.has_instance_edges else None
        maps = torch.from_numpy(labels), None if edges is None else torch.from_numpy(edges)
        generator(*maps)
        seconds["synthesize"] = _seconds(lambda: generator(*maps))
    if job.stylizes:
        assert networks.photowct_checkpoint is not None
        network = PhotoWCT.from_checkpoint(fetch_checkpoint(networks.photowct_checkpoint))
        photo = torch.from_numpy(content).permute(2, 0, 1) / 255
        style = [network.encode_style(photo)]
        stylized = np.stack(download(quantize(network.stylize(photo, style))))
        seconds["stylize"] = styles * _seconds(lambda: network.stylize(photo, style))
        smooth(content, stylized)
        seconds["smooth"] = styles * _seconds(lambda: smooth(content, stylized))
    if config.quality.quality:
        sample = Sample(content, labels[0])
        if job.stylizes:
            encoder = network.encoder(LEVEL)
            look = find_look(content, encoder)
            sample = Sample(stylized[0], labels[0], content, look, look)
        seconds["assess"] = styles * _seconds(lambda: measure(sample))
    return seconds


def _seconds(run: Callable[[], object]) -> float:
    start = perf_counter()
    run()
    return perf_counter() - start
