"""Doing a part of a batch, so that what cannot be done costs no more than its own rows.

Rows are scenes or, in passes over inputs, files with a column ``source``.
"""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from spadepis.pipeline.scene import scenes_from_table, scenes_to_table


def by_row(batch: pa.Table) -> list[pa.Table]:
    """Each row by itself."""
    return [batch.slice(row, 1) for row in range(len(batch))]


def by_style(batch: pa.Table) -> list[pa.Table]:
    """The scene of a batch with each of its styles by itself; without styles, as it is."""
    if not _has_scenes(batch):
        return [batch]
    (scene,) = scenes_from_table(batch)
    return [scenes_to_table([part]) for part in scene.by_style()]


def item_of(batch: pa.Table, with_style: bool) -> tuple[str, str | None]:
    """The id of the row of a batch and, if wanted, that of the only style of its scene."""
    styles = batch["styles"][0].as_py() if with_style and _has_scenes(batch) else []
    return batch["id"][0].as_py(), styles[0]["id"] if len(styles) == 1 else None


def join_styles(parts: Sequence[pa.Table]) -> pa.Table:
    """Undo ``by_style``, or add up what writing returns for its parts."""
    if len(parts) == 1 or not _has_scenes(parts[0]):
        return pa.concat_tables(parts)
    first, *others = (scene for part in parts for scene in scenes_from_table(part))
    for other in others:
        first.join(other)
    return scenes_to_table([first])


def give_up(batch: pa.Table, stage: str, error: Exception) -> pa.Table:
    """Rows that a stage could not do, so that it has nothing left to do with them.

    Scenes fail, files lose their source.
    """
    if not _has_scenes(batch):
        column = batch.schema.get_field_index("source")
        return batch.set_column(column, "source", pa.nulls(len(batch), pa.string()))
    scenes = scenes_from_table(batch)
    for scene in scenes:
        scene.fail(stage, scene.source, error, unexpected=True)
    return scenes_to_table(scenes)


def _has_scenes(batch: pa.Table) -> bool:
    return "failures" in batch.column_names
