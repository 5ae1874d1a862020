"""The results of the benchmark, one row for each case."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from tools.benchmark.device import Peak
from tools.benchmark.measuring import Case, Measured

HEADER = (
    "stage",
    "size",
    "styles",
    "results/s",
    "plain form/s",
    "ratio",
    "largest difference",
    "peak MB",
    "plain form's",
    "GMAC/result",
    "% of product",
    "% of copy",
)


@dataclass(frozen=True)
class Row:
    """The results of one case.

    Attributes:
        stage: "synthesis", "stylization", "smoothing" or "chain".
        size: side of the images in pixels.
        styles: number of styles of a label map, or None.
        per_second: results per second of the fast form: photos in synthesis, otherwise pairs.
        plain_per_second: results per second of the textbook form.
        ratio: ratio of these rates.
        largest_difference: largest difference between the results of the two forms.
        largest_value: largest magnitude among the results of the textbook form.
        peak_megabytes: peak memory of the first run of the fast form.
        plain_peak_megabytes: peak memory of the first run of the textbook form.
        gigamacs: multiply-accumulates of the fast form for one result, in 1e9.
        percent_of_product: percentage of the rate at which a large matrix product computes.
        percent_of_copy: percentage of the rate of a large copy, if memory is the bottleneck.
        seconds: durations of the timed runs of the fast form.
        plain_seconds: durations of the timed runs of the textbook form.
        items: number of results in a run of the fast form.
        plain_items: number of results in a run of the textbook form.
    """

    stage: str
    size: int
    styles: int | None
    per_second: float
    plain_per_second: float
    ratio: float
    largest_difference: float
    largest_value: float
    peak_megabytes: float
    plain_peak_megabytes: float
    gigamacs: float
    percent_of_product: float
    percent_of_copy: float | None
    seconds: Sequence[float]
    plain_seconds: Sequence[float]
    items: int
    plain_items: int

    def as_json(self) -> dict[str, object]:
        """Return all attributes by name."""
        return asdict(self)


def row(case: Case, fast: Measured, plain: Measured, peak: Peak) -> Row:
    """Compute the row of a case from its measurements."""
    per_second = case.fast.items / fast.median_seconds
    plain_per_second = case.plain.items / plain.median_seconds
    difference = fast.results[: case.plain.items].double() - plain.results.double()
    percent_of_copy = None
    if case.traffic is not None:
        percent_of_copy = 100 * case.traffic / fast.median_seconds / peak.bytes_per_second
    return Row(
        stage=case.stage,
        size=case.size,
        styles=case.styles,
        per_second=per_second,
        plain_per_second=plain_per_second,
        ratio=per_second / plain_per_second,
        largest_difference=float(difference.abs().max()),
        largest_value=float(plain.results.abs().max()),
        peak_megabytes=fast.peak_bytes / 1e6,
        plain_peak_megabytes=plain.peak_bytes / 1e6,
        gigamacs=case.macs / case.fast.items / 1e9,
        percent_of_product=100 * case.macs / fast.median_seconds / peak.macs_per_second,
        percent_of_copy=percent_of_copy,
        seconds=fast.seconds,
        plain_seconds=plain.seconds,
        items=case.fast.items,
        plain_items=case.plain.items,
    )


def markdown(rows: Sequence[Row]) -> str:
    """The rows as a Markdown table."""
    lines = [HEADER, ("---",) * 3 + ("---:",) * (len(HEADER) - 3), *map(_cells, rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cells(row: Row) -> tuple[str, ...]:
    return (
        row.stage,
        str(row.size),
        "" if row.styles is None else str(row.styles),
        f"{row.per_second:.3g}",
        f"{row.plain_per_second:.3g}",
        f"{row.ratio:.2f}",
        f"{row.largest_difference:.1e}",
        f"{row.peak_megabytes:.0f}",
        f"{row.plain_peak_megabytes:.0f}",
        f"{row.gigamacs:.3g}",
        f"{row.percent_of_product:.0f}",
        "" if row.percent_of_copy is None else f"{row.percent_of_copy:.0f}",
    )
