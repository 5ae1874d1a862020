"""The results of the study of augmentation, and the tables of its documentation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import mean, stdev


@dataclass(frozen=True)
class Check:
    """A point of a training curve.

    Attributes:
        step: number of training steps done.
        mean_iou: on the validation pairs, by look, in [0,1].
    """

    step: int
    mean_iou: Mapping[str, float]


@dataclass(frozen=True)
class Run:
    """A trained network's results.

    Attributes:
        recipe: name of what it was trained with.
        seed: of its weights and crops.
        mean_iou: on the test pairs, by look, in [0,1].
        by_class: IoU of each class, by look.
        curve: the checks during training, the last one at its end.
    """

    recipe: str
    seed: int
    mean_iou: Mapping[str, float]
    by_class: Mapping[str, Mapping[str, float]]
    curve: Sequence[Check]


def validation_table(runs: Sequence[Run]) -> str:
    """Markdown: mean IoU in percent on the validation pairs, a row for each run."""
    looks = list(runs[0].curve[-1].mean_iou)
    rows = {
        run.recipe: [f"{100 * run.curve[-1].mean_iou[look]:.1f}" for look in looks] for run in runs
    }
    return _table("recipe", looks, rows)


def curves_table(runs: Sequence[Run], look: str) -> str:
    """Markdown: mean IoU in percent on the validation pairs of a look in the course of training.

    Runs may be of different lengths: the columns are parts of each.
    """
    checks = len(runs[0].curve)
    rows = {
        run.recipe: [
            str(run.curve[-1].step),
            *(f"{100 * check.mean_iou[look]:.1f}" for check in run.curve),
        ]
        for run in runs
    }
    return _table("recipe", ["steps", *(f"{i + 1}/{checks}" for i in range(checks))], rows)


def results_table(runs: Sequence[Run], recipes: Sequence[str]) -> str:
    """Markdown: mean IoU in percent, mean ± standard deviation over seeds, of looks by recipe."""
    rows = {
        look: [_percent(_over_seeds(runs, recipe, look)) for recipe in recipes]
        for look in _looks(runs)
    }
    return _table("test look", recipes, rows)


def differences_table(runs: Sequence[Run], comparisons: Sequence[tuple[str, str]]) -> str:
    """Markdown: mean IoU of one recipe less another's, seed by seed, in points of percent."""
    rows = {}
    for look in _looks(runs):
        rows[look] = [
            _percent(
                [
                    ours - theirs
                    for ours, theirs in zip(
                        _over_seeds(runs, recipe, look), _over_seeds(runs, other, look), strict=True
                    )
                ],
                sign="+",
            )
            for recipe, other in comparisons
        ]
    return _table("test look", [f"{recipe} less {other}" for recipe, other in comparisons], rows)


def _looks(runs: Sequence[Run]) -> Sequence[str]:
    return list(runs[0].mean_iou)


def _over_seeds(runs: Sequence[Run], recipe: str, look: str) -> list[float]:
    chosen = sorted((run for run in runs if run.recipe == recipe), key=lambda run: run.seed)
    return [run.mean_iou[look] for run in chosen]


def _percent(values: Sequence[float], sign: str = "") -> str:
    return f"{100 * mean(values):{sign}.1f} ± {100 * stdev(values):.1f}"


def _table(corner: str, columns: Sequence[str], rows: Mapping[str, Sequence[str]]) -> str:
    lines = [f"| {corner} | {' | '.join(columns)} |", f"|---|{'---:|' * len(columns)}"]
    lines += [f"| {name} | {' | '.join(cells)} |" for name, cells in rows.items()]
    return "\n".join(lines)
