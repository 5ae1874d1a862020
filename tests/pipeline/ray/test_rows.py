"""Scenes as rows of tables, which may be sliced and put together."""

import numpy as np
import pyarrow as pa

from spadepis.pipeline.ray.rows import from_table, to_table
from spadepis.pipeline.scene import Scene, Style


def test_rows_of_sliced_and_joined_tables_are_the_same_scenes() -> None:
    scenes = [
        Scene(
            str(i),
            [Style("a", None)] * i,
            label_map=np.full((3, 3), i, np.uint8),
            instances=np.full((3, 3), i, np.uint16) if i % 2 else None,
            results=[np.full((i, 2, 3), i, np.uint8)] * i,
        )
        for i in range(5)
    ]
    table = to_table(scenes)
    again = from_table(pa.concat_tables([table.slice(1, 3), table.slice(0, 1)]))
    for found, expected in zip(again, [*scenes[1:4], scenes[0]], strict=True):
        assert (found.id, found.styles) == (expected.id, expected.styles)
        assert found.label_map is not None
        for name in ("label_map", "instances", "results"):
            np.testing.assert_array_equal(getattr(found, name), getattr(expected, name))
    assert from_table(table.slice(0, 0)) == []
    assert to_table([]).schema == table.schema
