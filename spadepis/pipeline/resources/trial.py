"""A short trial of every stage, from which a cluster is shared among them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter

import numpy as np
import torch
from numpy.typing import NDArray

from spadepis.configuration import ConfigurationError
from spadepis.dataset.encoding import encode_png
from spadepis.labels import instance_edges
from spadepis.pipeline.assembly import assemble, match_styles
from spadepis.pipeline.config.resolution import JobConfig
from spadepis.pipeline.scene import Scene, Style
from spadepis.pipeline.stages.assess import Rejected
from spadepis.pipeline.stages.declarations import Declaration
from spadepis.pipeline.stages.padding import padded

# The size that is tried where every photo keeps its own.
USUAL_SIZE = (256, 256)
# Stripes of classes in the label map of the trial.
REGIONS = 8
# More styles of a scene take longer in proportion.
MOST_STYLES = 2


def seconds_per_scene(config: JobConfig, styles: float) -> dict[Declaration, float]:
    """Time one made-up scene in each stage of a job, on one thread of this machine's CPU.

    The stages are those of the job, made with the same settings. A checkpoint that does not fit is
    found here, and what Numba compiles is compiled, once for all workers of this machine. A scene
    has so many styles on average.

    Returns:
        Seconds by stage that computes, of a scene with all its styles.

    Raises:
        CheckpointError: a checkpoint cannot be read or does not fit.
        ConfigurationError: a stage cannot do scenes of this size.
    """
    count = max(1, min(MOST_STYLES, round(styles)))
    with _one_thread(), TemporaryDirectory() as folder:
        known = _make_styles(config, Path(folder), count)
        # Choosing among more styles would hardly take longer.
        matching = match_styles(
            config, list(known.values()), lambda stage, styles: stage.make()(styles)
        )
        scene = _make_scene(config, [] if matching else list(known.values()))
        scene = replace(scene, choices=count if matching else 0)
        seconds: dict[Declaration, float] = {}
        for spec in assemble(config, {}, matching, known):
            if not spec.declaration.computes:
                continue
            stage = spec.make()
            # The first call compiles, and reads the styles.
            stage([scene.copy()])
            start = perf_counter()
            (scene,) = stage([scene])
            elapsed = perf_counter() - start
            _check(scene, spec.declaration, config)
            repeats = styles / count if spec.declaration.per_result else 1.0
            seconds[spec.declaration] = elapsed * repeats
    return seconds


@contextmanager
def _one_thread() -> Iterator[None]:
    """PyTorch as in a worker, without the worker's other settings, which cannot be undone."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _check(scene: Scene, stage: Declaration, config: JobConfig) -> None:
    for failure in scene.failures:
        if failure.error != Rejected.__name__:
            height, width = _size(config)
            raise ConfigurationError(f"{stage.name} fails at {width}x{height}: {failure.message}")


def _size(config: JobConfig) -> tuple[int, int]:
    return config.size or USUAL_SIZE


def _label_map(config: JobConfig) -> NDArray[np.uint8]:
    """Diagonal stripes of classes."""
    height, width = _size(config)
    rows, columns = np.ogrid[:height, :width]
    regions = rows * REGIONS // height + columns * REGIONS // width
    # Some label spaces have classes that no value stands for.
    values = config.label_space.raw_values
    written = np.array([index for index, value in enumerate(values) if value is not None], np.uint8)
    classes: NDArray[np.uint8] = written[regions % len(written)]
    return classes


def _photo(config: JobConfig) -> NDArray[np.uint8]:
    """A gradient in each direction."""
    height, width = _size(config)
    rows, columns = np.mgrid[:height, :width]
    red, green = rows * 255 // height, columns * 255 // width
    return np.stack([red, green, (red + green) // 2], axis=2).astype(np.uint8)


def _make_styles(config: JobConfig, folder: Path, count: int) -> dict[str, Style]:
    """Styles by id, whose files are written into a folder; without any where none is used."""
    if not config.job.stylizes:
        return {"": Style(None, None)}
    photo, label_map = folder / "style.png", folder / "style_mask.png"
    photo.write_bytes(encode_png(_photo(config)[::-1].copy()))
    label_map.write_bytes(encode_png(config.label_space.encode(_label_map(config))))
    mask_source = None if config.styles.style_masks is None else str(label_map)
    return {str(i): Style(str(i), str(photo), mask_source) for i in range(count)}


def _make_scene(config: JobConfig, styles: list[Style]) -> Scene:
    """A scene as reading leaves it."""
    scene = Scene("trial", styles, photo_source="a made-up scene")
    label_map = _label_map(config)
    if config.inputs.masks is not None:
        scene.label_map = label_map
    if config.inputs.instances is not None and config.label_space.has_instance_edges:
        scene.edges = instance_edges(padded(label_map))
    if not config.job.synthesizes:
        scene.content = _photo(config)
    return scene
