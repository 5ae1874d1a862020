"""Does it help under a changed look to train on generated styles of real pairs?

Networks are trained by the recipes of the configuration and tested on pairs that no network and
no style of the training has seen. All recipes are compared on validation pairs; the finalists are
trained with more seeds and tested.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torchvision.utils import save_image

from spadepis.configuration import ConfigurationError
from spadepis.dataset.storage.replacement import replacing
from spadepis.training.photos import Pair
from spadepis.training.sources import Source
from tools.studies.augmentation.config import AugmentationStudyConfig
from tools.studies.augmentation.data import UNCHANGED, StudyData, read_study_data
from tools.studies.augmentation.photometric import jitter
from tools.studies.augmentation.segmentation import (
    SegmentationNetwork,
    class_weights,
    mean_iou,
    train_segmentation,
)
from tools.studies.augmentation.table import (
    Check,
    Run,
    curves_table,
    differences_table,
    results_table,
    validation_table,
)

log = logging.getLogger(__name__)

# Settings that make no result another one. A result has its own recipe beside it.
INCIDENTAL = {"config", "output", "seeds", "recipes", "baselines", "finalists", "threads"}
SHOWN_PICTURES = 6


def augmentation_study_job(config: AugmentationStudyConfig) -> None:
    """Train and test all networks, seed by seed, and print the tables."""
    torch.set_num_threads(config.threads)
    logging.getLogger("tools").setLevel(logging.INFO)
    config.output.mkdir(parents=True, exist_ok=True)
    results = config.output / "results.jsonl"
    runs = _read_runs(results, config)
    done = {(run.recipe, run.seed) for run in runs}
    wanted = list(config.trainings())
    if not done.issuperset(wanted):
        data = read_study_data(config)
        _save_looks(config.output / "looks.png", data)
        log.info("%s", _counts(data))
        weights = class_weights(data.real, config.space.num_classes)
        for name, seed in wanted:
            if (name, seed) not in done:
                runs.append(_run(name, seed, data, weights, config))
                _write_runs(results, runs, config)
    shown = [run for run in runs if (run.recipe, run.seed) in set(wanted)]
    print(_report(shown, config))


def _run(
    name: str, seed: int, data: StudyData, weights: Tensor, config: AugmentationStudyConfig
) -> Run:
    """Train a network by a recipe, with checks on the validation pairs, and test it."""
    space, recipe = config.space, config.recipes[name]
    curve = []
    network: SegmentationNetwork | None = None
    for step, network in train_segmentation(
        _sources(data.real, data.generated.get(name, ()), recipe.share),
        weights,
        round(config.steps * recipe.length),
        config.batch_size,
        config.crop,
        config.checks,
        seed,
        *([jitter] if recipe.jitter else []),
    ):
        found = {
            look: mean_iou(network, pairs, space)[0] for look, pairs in data.validation.items()
        }
        curve.append(Check(step, found))
        log.info("seed %d, %s, step %d: %s", seed, name, step, _percents(found))
    assert network is not None
    measured = {look: mean_iou(network, pairs, space) for look, pairs in data.looks.items()}
    run = Run(
        name,
        seed,
        {look: mean for look, (mean, _) in measured.items()},
        {look: by_class for look, (_, by_class) in measured.items()},
        curve,
    )
    log.info("seed %d, %s, tested: %s", seed, name, _percents(run.mean_iou))
    return run


def _sources(
    real: Sequence[Pair], generated: Sequence[Pair], share: float
) -> Sequence[Source[Pair]]:
    """Real and generated pairs, the latter drawn with the probability ``share``."""
    parts = [(real, 1 - share), (generated, share)]
    return [Source(pairs, torch.ones(len(pairs)), weight) for pairs, weight in parts if pairs]


def _report(runs: Sequence[Run], config: AugmentationStudyConfig) -> str:
    """The tables: all recipes on the validation pairs, and the finalists on the test pairs."""
    first = [run for run in runs if run.seed == 0]
    finals = [run for run in runs if run.recipe in config.finalists]
    tables = [
        validation_table(first),
        curves_table(first, UNCHANGED),
        results_table(finals, config.finalists),
    ]
    for baseline in config.baselines:
        others = [name for name in config.finalists if name != baseline]
        tables.append(differences_table(finals, [(name, baseline) for name in others]))
    return "\n\n".join(tables)


def _read_runs(path: Path, config: AugmentationStudyConfig) -> list[Run]:
    """What an earlier call has done.

    Raises:
        ConfigurationError: it had other settings, or another recipe of the same name.
    """
    if not path.exists():
        return []
    settings, recipes = _settings(config), _recipes(config)
    runs = []
    for line in path.read_text().splitlines():
        row = json.loads(line)
        former = row.pop("settings")
        other = [name for name in settings if former.get(name) != settings[name]]
        if other:
            raise ConfigurationError(f"{path} was made with another {', '.join(other)}")
        recipe = row.pop("ingredients")
        if recipes.get(row["recipe"], recipe) != recipe:
            raise ConfigurationError(f"{path} was made with another recipe {row['recipe']}")
        curve = [Check(**check) for check in row.pop("curve")]
        runs.append(Run(**row, curve=curve))
    return runs


def _write_runs(path: Path, runs: Sequence[Run], config: AugmentationStudyConfig) -> None:
    """Write a line for each run, replacing the file whole."""
    settings, recipes = _settings(config), _recipes(config)
    lines = [
        json.dumps({**asdict(run), "ingredients": recipes[run.recipe], "settings": settings}) + "\n"
        for run in runs
    ]
    with replacing(path) as unfinished:
        unfinished.write_text("".join(lines))


def _settings(config: AugmentationStudyConfig) -> dict[str, Any]:
    return config.model_dump(mode="json", exclude=INCIDENTAL)


def _recipes(config: AugmentationStudyConfig) -> dict[str, Any]:
    return {name: recipe.model_dump(mode="json") for name, recipe in config.recipes.items()}


def _counts(data: StudyData) -> str:
    """How many pairs there are of each kind, in words."""
    counts = {"real": data.real, **data.generated, **data.looks}
    return "pairs: " + ", ".join(f"{len(pairs)} {name}" for name, pairs in counts.items())


def _percents(values: Mapping[str, float]) -> str:
    return ", ".join(f"{look} {100 * value:.1f}" for look, value in values.items())


def _save_looks(path: Path, data: StudyData) -> None:
    """A sheet with a few pictures of each look, a row each, then of the pairs of each recipe."""
    rows = []
    height, width = data.looks[UNCHANGED][0].labels.shape
    for pairs in (*data.looks.values(), *data.generated.values()):
        shown = [pairs[i * len(pairs) // SHOWN_PICTURES] for i in range(SHOWN_PICTURES)]
        rows += [pair.photo[:, :height, :width] / 255 for pair in shown]
    save_image(rows, path, nrow=SHOWN_PICTURES)
