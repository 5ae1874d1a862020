"""The results of the study of augmentation: a row for each look."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import mean, stdev


@dataclass(frozen=True)
class Run:
    """A trained network's results.

    Attributes:
        arm: what it was trained with.
        seed: of its weights and crops.
        mean_iou: by look, in [0,1].
        by_class: IoU of each class, by look.
    """

    arm: str
    seed: int
    mean_iou: Mapping[str, float]
    by_class: Mapping[str, Mapping[str, float]]


def results_table(runs: Sequence[Run], arms: Sequence[str]) -> str:
    """Markdown: mean IoU in percent of each look and arm, mean ± standard deviation over seeds."""
    return _table(
        arms,
        {look: [_percent(_over_seeds(runs, arm, look)) for arm in arms] for look in _looks(runs)},
    )


def differences_table(runs: Sequence[Run], comparisons: Sequence[tuple[str, str]]) -> str:
    """Markdown: mean IoU of one arm less that of another, seed by seed, in points of percent."""
    rows = {}
    for look in _looks(runs):
        rows[look] = [
            _percent(
                [
                    ours - theirs
                    for ours, theirs in zip(
                        _over_seeds(runs, arm, look), _over_seeds(runs, other, look), strict=True
                    )
                ],
                sign="+",
            )
            for arm, other in comparisons
        ]
    return _table([f"{arm} less {other}" for arm, other in comparisons], rows)


def _looks(runs: Sequence[Run]) -> Sequence[str]:
    return list(runs[0].mean_iou)


def _over_seeds(runs: Sequence[Run], arm: str, look: str) -> list[float]:
    chosen = sorted((run for run in runs if run.arm == arm), key=lambda run: run.seed)
    return [run.mean_iou[look] for run in chosen]


def _percent(values: Sequence[float], sign: str = "") -> str:
    return f"{100 * mean(values):{sign}.1f} ± {100 * stdev(values):.1f}"


def _table(columns: Sequence[str], rows: Mapping[str, Sequence[str]]) -> str:
    lines = [f"| test look | {' | '.join(columns)} |", f"|---|{'---:|' * len(columns)}"]
    lines += [f"| {look} | {' | '.join(cells)} |" for look, cells in rows.items()]
    return "\n".join(lines)
