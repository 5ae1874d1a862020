"""What travels between stages: a mask (or photo) with its styles, as a row of an Arrow table."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from time import perf_counter
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from spadepis.quality.metrics import METRICS


@dataclass(frozen=True)
class Style:
    """A style that a scene is to get; all fields are None where photos are only synthesized.

    Attributes:
        id: of the style photo.
        source: path or URI of the style photo.
        mask_source: the same of its label map, if there are label maps of styles.
    """

    id: str | None
    source: str | None
    mask_source: str | None = None


@dataclass(frozen=True)
class Failure:
    """A style that a scene will not get, and why: the stage, the file, the error."""

    style: Style
    stage: str
    source: str | None
    error: str
    message: str


@dataclass
class Scene:
    """One mask with its K styles, the unit of work.

    Attributes:
        id: id of the label map, or of the photo where photos are stylized.
        mask_source: path or URI of the label map; None for a photo without one.
        instance_source: path or URI of the instance map, if there is one.
        photo_source: path or URI of the photo where photos are stylized.
        styles: the styles still to be done; a failure moves a style to ``failures``.
        choices: how many styles more it gets, those that are most like it.
        passed_over: ids of styles that are not to be chosen.
        failures: the styles that failed.
        label_map: class indices, uint8 [H,W].
        edges: instance edges, bool [H,W].
        content: the photo to stylize, uint8 [H,W,3].
        results: stylized photos in the order of ``styles``, each uint8 [H,W,3].
        quality: figures of the results, in the same order; see ``spadepis.quality``.
        seconds: time spent on this scene by stage.
    """

    id: str
    styles: list[Style]
    mask_source: str | None = None
    instance_source: str | None = None
    photo_source: str | None = None
    choices: int = 0
    passed_over: list[str] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    label_map: NDArray[np.uint8] | None = None
    edges: NDArray[np.bool_] | None = None
    content: NDArray[np.uint8] | None = None
    results: list[NDArray[np.uint8]] = field(default_factory=list)
    quality: list[dict[str, float | None]] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)

    @property
    def source(self) -> str | None:
        """The file that the scene was read from."""
        return self.mask_source if self.photo_source is None else self.photo_source

    @property
    def is_waiting(self) -> bool:
        """Whether anything is still to be done."""
        return bool(self.styles or self.choices)

    def fail(self, stage: str, source: str | None, error: Exception) -> None:
        """Give up all styles of this scene; those not chosen yet are one failure."""
        if self.choices:
            self.styles.append(Style(None, None))
            self.choices = 0
        for style in list(self.styles):
            self.fail_style(style, stage, source, error)

    def fail_style(self, style: Style, stage: str, source: str | None, error: Exception) -> None:
        """Give up one style of this scene."""
        self.styles.remove(style)
        self.failures.append(Failure(style, stage, source, type(error).__name__, str(error)))

    @contextmanager
    def timed(self, stage: str) -> Iterator[None]:
        """Add the time of a ``with`` block to this scene's seconds in ``stage``."""
        start = perf_counter()
        yield
        self.seconds[stage] = self.seconds.get(stage, 0.0) + perf_counter() - start


_STYLE = pa.struct([("id", pa.string()), ("source", pa.string()), ("mask_source", pa.string())])
_FAILURE = pa.struct(
    [
        ("style", _STYLE),
        ("stage", pa.string()),
        ("source", pa.string()),
        ("error", pa.string()),
        ("message", pa.string()),
    ]
)
# Images are raw bytes beside one height and width, for a failed scene has none.
SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("styles", pa.list_(_STYLE)),
        ("mask_source", pa.string()),
        ("instance_source", pa.string()),
        ("photo_source", pa.string()),
        ("choices", pa.int32()),
        ("passed_over", pa.list_(pa.string())),
        ("failures", pa.list_(_FAILURE)),
        ("height", pa.int32()),
        ("width", pa.int32()),
        ("label_map", pa.large_binary()),
        ("edges", pa.large_binary()),
        ("content", pa.large_binary()),
        ("results", pa.list_(pa.large_binary())),
        ("quality", pa.list_(pa.struct([(name, pa.float32()) for name in METRICS]))),
        ("seconds", pa.map_(pa.string(), pa.float64())),
    ]
)


def scenes_to_table(scenes: Sequence[Scene]) -> pa.Table:
    """Rows of ``SCHEMA``, one a scene."""
    return pa.Table.from_pylist([_to_row(scene) for scene in scenes], schema=SCHEMA)


def scenes_from_table(table: pa.Table) -> list[Scene]:
    """The scenes of a table of ``SCHEMA``; their arrays are read-only."""
    return [_from_row(row) for row in table.to_pylist()]


def _to_row(scene: Scene) -> dict[str, Any]:
    planes = (scene.label_map, scene.content)
    height, width = next((plane.shape[:2] for plane in planes if plane is not None), (None, None))
    return {
        "id": scene.id,
        "styles": [asdict(style) for style in scene.styles],
        "mask_source": scene.mask_source,
        "instance_source": scene.instance_source,
        "photo_source": scene.photo_source,
        "choices": scene.choices,
        "passed_over": scene.passed_over,
        "failures": [asdict(failure) for failure in scene.failures],
        "height": height,
        "width": width,
        "label_map": None if scene.label_map is None else scene.label_map.tobytes(),
        "edges": None if scene.edges is None else scene.edges.tobytes(),
        "content": None if scene.content is None else scene.content.tobytes(),
        "results": [result.tobytes() for result in scene.results],
        "quality": scene.quality,
        "seconds": scene.seconds,
    }


def _from_row(row: dict[str, Any]) -> Scene:
    plane = (row["height"], row["width"])

    def image(content: bytes | None, dtype: type, *channels: int) -> Any:
        if content is None:
            return None
        return np.frombuffer(content, dtype).reshape(*plane, *channels)

    return Scene(
        id=row["id"],
        styles=[Style(**style) for style in row["styles"]],
        mask_source=row["mask_source"],
        instance_source=row["instance_source"],
        photo_source=row["photo_source"],
        choices=row["choices"],
        passed_over=row["passed_over"],
        failures=[
            Failure(**failure | {"style": Style(**failure["style"])}) for failure in row["failures"]
        ],
        label_map=image(row["label_map"], np.uint8),
        edges=image(row["edges"], np.bool_),
        content=image(row["content"], np.uint8, 3),
        results=[image(result, np.uint8, 3) for result in row["results"]],
        quality=row["quality"],
        seconds=dict(row["seconds"]),
    )
