"""A label space: what the values of a label map mean, and what a generator is fed for them."""

from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spadepis.configuration import similar

# Classes that do not say what is under them: no region takes its style from them, and no network
# learns them.
UNKNOWN_CLASSES = frozenset(("unknown", "unlabeled", "rectification border", "out of roi"))
_SHOWN_VALUES = 5


@dataclass(frozen=True, eq=False)
class LabelSpace:
    """The classes of a dataset, their colours and their values in its label maps.

    Label spaces are equal when all of this is equal.

    Attributes:
        name: "coco-stuff", "ade20k", "cityscapes", or that of a label space of your own.
        names: Class names by class index, the unknown class included.
        colours: Colours by class index, uint8 [num_classes, 3], read-only.
        has_instance_edges: Whether the generator also takes an instance-edge channel.
        size: Height and width of the label maps that the published checkpoint was trained with.
        published_values: Label map values by class index, as the dataset publishes them; None for a
            class that its files do not tell from unlabelled pixels.
        numbering_of: The label space with the same classes in the same order and other values, for
            which the generator was published; None for one that has its own generator.
    """

    name: str
    names: tuple[str, ...]
    colours: NDArray[np.uint8]
    has_instance_edges: bool
    size: tuple[int, int]
    published_values: tuple[int | None, ...]
    numbering_of: str | None = None

    def __post_init__(self) -> None:
        self.colours.setflags(write=False)

    def __reduce__(self) -> tuple[type["LabelSpace"], tuple[Any, ...]]:
        # Through the constructor, because an unpickled array would be writeable.
        return LabelSpace, tuple(getattr(self, field.name) for field in fields(self))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, LabelSpace) and self._content == other._content

    def __hash__(self) -> int:
        return hash(self._content)

    @cached_property
    def _content(self) -> tuple[Any, ...]:
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return tuple((values | {"colours": self.colours.tobytes()}).values())

    @property
    def num_classes(self) -> int:
        """Number of classes, the unknown class included."""
        return len(self.names)

    @property
    def semantic_channels(self) -> int:
        """Number of input channels of a generator: the classes, and the edge channel if any."""
        return self.num_classes + self.has_instance_edges

    @property
    def generator_space(self) -> str:
        """Name of the label space whose generators and related classes serve this one too."""
        return self.numbering_of or self.name

    @property
    def raw_values(self) -> tuple[int | None, ...]:
        """Values by class index in an 8-bit PNG, where a published -1 is 255."""
        return tuple(None if value is None else value % 256 for value in self.published_values)

    @cached_property
    def _index_of_value(self) -> NDArray[np.int64]:
        # A slot for each of 0..255, one above, one below, and the last for -1; -1 means no class.
        table = np.full(259, -1, np.int64)
        for values in (self.raw_values, self.published_values):
            for index, value in enumerate(values):
                if value is not None:
                    table[value] = index
        return table

    @cached_property
    def _value_of_index(self) -> NDArray[np.int16]:
        return np.array([-1 if value is None else value for value in self.raw_values], np.int16)

    def decode(self, raw: NDArray[Any]) -> NDArray[np.int64]:
        """Turn the values of a label map into class indices.

        Args:
            raw: Label map as stored in its file, any integer dtype [H, W].

        Returns:
            Class indices, int64 [H, W].

        Raises:
            ValueError: The array is not 2-D or not of integers, or holds values of no class.
        """
        if raw.ndim != 2 or not np.issubdtype(raw.dtype, np.integer):
            raise ValueError(
                f"{self.name}: a label map has one channel of integers, [H, W]; "
                f"got {raw.dtype} of shape {list(raw.shape)}"
            )
        indices = self._index_of_value.take(raw.astype(np.int64).clip(-2, 256))
        outside = raw[indices < 0]
        if outside.size:
            values = np.unique(outside).tolist()
            shown = [str(value) for value in values[:_SHOWN_VALUES]]
            more = ", ..." if len(values) > _SHOWN_VALUES else ""
            raise ValueError(
                f"{self.name}: no class has the raw value {', '.join(shown)}{more} "
                f"({outside.size} of {raw.size} pixels)"
            )
        return indices

    def encode(self, indices: NDArray[np.integer[Any]]) -> NDArray[np.uint8]:
        """Turn class indices into the values of an 8-bit label map; the inverse of ``decode``.

        Args:
            indices: Class indices in [0, num_classes), any integer dtype [H, W].

        Returns:
            Label map to write as PNG, uint8 [H, W].

        Raises:
            IndexError: An index is num_classes or more.
            ValueError: A class has no value in the label maps of this label space.
        """
        values = self._value_of_index.take(indices)
        if values.size and values.min() < 0:
            names = {self.names[index] for index in np.unique(indices[values < 0])}
            raise ValueError(f"{self.name}: no value stands for {', '.join(sorted(names))}")
        return values.astype(np.uint8)

    def colourize(self, indices: NDArray[np.integer[Any]]) -> NDArray[np.uint8]:
        """Paint class indices with the colours of their classes.

        Args:
            indices: Class indices in [0, num_classes), any integer dtype [H, W].

        Returns:
            RGB image, uint8 [H, W, 3].

        Raises:
            IndexError: An index is num_classes or more.
        """
        return self.colours.take(indices, axis=0)


def no_such_class(space: LabelSpace, name: str) -> str:
    """A message that a label space has no class of this name, with similar names."""
    return f"{space.name} has no class {name!r}{similar(name, space.names, most=3)}"
