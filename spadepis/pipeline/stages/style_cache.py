"""Statistics of styles that were used lately."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

from spadepis.photowct import StyleStatistics


class StyleCache:
    """Keeps the statistics of the styles used last, as many as fit in ``most_bytes``.

    Their number would not do as a limit: a style takes as much again for each of its regions.
    """

    def __init__(
        self, compute: Callable[[str, str | None], StyleStatistics], most_bytes: int
    ) -> None:
        self.compute = compute
        self.most_bytes = most_bytes
        self._kept: OrderedDict[tuple[str, str | None], StyleStatistics] = OrderedDict()
        self._bytes = 0

    def __call__(self, source: str, mask_source: str | None) -> StyleStatistics:
        """What ``compute`` gives for a style photo and its label map; its errors pass through."""
        key = source, mask_source
        if key in self._kept:
            self._kept.move_to_end(key)
            return self._kept[key]
        statistics = self.compute(source, mask_source)
        self._kept[key] = statistics
        self._bytes += statistics.num_bytes
        while self._bytes > self.most_bytes and len(self._kept) > 1:
            _, dropped = self._kept.popitem(last=False)
            self._bytes -= dropped.num_bytes
        return statistics
