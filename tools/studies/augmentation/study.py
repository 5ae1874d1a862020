"""Does it help under a changed look to train on generated styles of real pairs?

Networks are trained with and without the generated pairs, with and without colour jitter, for the
same number of steps, and tested on pairs that no network and no style of the training has seen.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torchvision.utils import save_image

from spadepis.configuration import ConfigurationError
from spadepis.dataset.storage.replacement import replacing
from tools.studies.augmentation.config import AugmentationStudyConfig
from tools.studies.augmentation.data import StudyData, read_study_data
from tools.studies.augmentation.photometric import jitter
from tools.studies.augmentation.segmentation import mean_iou, train_segmentation
from tools.studies.augmentation.table import Run, differences_table, results_table

log = logging.getLogger(__name__)

# Settings that make no result another one.
INCIDENTAL = {"config", "output", "seeds"}
SHOWN_PICTURES = 6


@dataclass(frozen=True)
class Arm:
    """A way to train.

    Attributes:
        name: in the table.
        generated: on the real pairs and on the generated ones.
        jittered: with changed brightness, contrast, saturation and hue of every crop.
    """

    name: str
    generated: bool
    jittered: bool


ARMS = (
    Arm("real pairs", generated=False, jittered=False),
    Arm("jitter", generated=False, jittered=True),
    Arm("styles", generated=True, jittered=False),
    Arm("styles + jitter", generated=True, jittered=True),
)
COMPARISONS = (
    ("jitter", "real pairs"),
    ("styles", "real pairs"),
    ("styles", "jitter"),
    ("styles + jitter", "jitter"),
)


def augmentation_study_job(config: AugmentationStudyConfig) -> None:
    """Train and test all networks, seed by seed, and print the tables."""
    torch.set_num_threads(config.threads)
    config.output.mkdir(parents=True, exist_ok=True)
    results = config.output / "results.jsonl"
    settings = config.model_dump(mode="json", exclude=INCIDENTAL)
    runs = _read_runs(results, settings)
    done = {(run.arm, run.seed) for run in runs}
    data = read_study_data(config)
    _save_looks(config.output / "looks.png", data)
    log.info(
        "%d real pairs, %d generated ones; %s",
        len(data.real),
        len(data.generated),
        ", ".join(f"{len(pairs)} {look}" for look, pairs in data.looks.items()),
    )
    for seed in range(config.seeds):
        for arm in ARMS:
            if (arm.name, seed) in done:
                continue
            runs.append(_run(arm, seed, data, config))
            _write_runs(results, runs, settings)
    runs = [run for run in runs if run.seed < config.seeds]
    print(results_table(runs, [arm.name for arm in ARMS]))
    print()
    print(differences_table(runs, COMPARISONS))


def _run(arm: Arm, seed: int, data: StudyData, config: AugmentationStudyConfig) -> Run:
    """Train a network and test it under every look."""
    space = config.space
    sources = [data.real, data.generated] if arm.generated else [data.real]
    network = train_segmentation(
        sources,
        space.num_classes,
        config.steps,
        config.batch_size,
        config.crop,
        seed,
        *([jitter] if arm.jittered else []),
    )
    measured = {look: mean_iou(network, pairs, space) for look, pairs in data.looks.items()}
    run = Run(
        arm.name,
        seed,
        {look: mean for look, (mean, _) in measured.items()},
        {look: by_class for look, (_, by_class) in measured.items()},
    )
    shown = ", ".join(f"{look} {mean:.3f}" for look, mean in run.mean_iou.items())
    log.info("seed %d, %s: %s", seed, arm.name, shown)
    return run


def _read_runs(path: Path, settings: dict[str, Any]) -> list[Run]:
    """What an earlier call has done.

    Raises:
        ConfigurationError: it had other settings.
    """
    if not path.exists():
        return []
    runs = []
    for line in path.read_text().splitlines():
        row = json.loads(line)
        former = row.pop("settings")
        other = [name for name in settings if former.get(name) != settings[name]]
        if other:
            raise ConfigurationError(f"{path} was made with another {', '.join(other)}")
        runs.append(Run(**row))
    return runs


def _write_runs(path: Path, runs: Sequence[Run], settings: dict[str, Any]) -> None:
    """Write a line for each run, replacing the file whole."""
    lines = [json.dumps({**asdict(run), "settings": settings}) + "\n" for run in runs]
    with replacing(path) as unfinished:
        unfinished.write_text("".join(lines))


def _save_looks(path: Path, data: StudyData) -> None:
    """A sheet with a few pictures of each look, a row each; generated ones are the last row."""
    rows = []
    for pairs in (*data.looks.values(), data.generated):
        shown = [pairs[i * len(pairs) // SHOWN_PICTURES] for i in range(SHOWN_PICTURES)]
        height, width = data.looks["unchanged"][0].labels.shape
        rows += [pair.photo[:, :height, :width] / 255 for pair in shown]
    save_image(rows, path, nrow=SHOWN_PICTURES)
