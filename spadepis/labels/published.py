"""Label spaces: what the values of a label map mean, and what a generator is fed for them.

The class order is that of the published SPADE checkpoints (Park et al., "Semantic Image Synthesis
with Spatially-Adaptive Normalization", CVPR 2019): a class index is an input channel.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "ADE20K",
    "CITYSCAPES",
    "COCO_STUFF",
    "LABEL_SPACES",
    "LabelSpace",
    "instance_edges",
    "pascal_colours",
]

_SHOWN_VALUES = 5


@dataclass(frozen=True, eq=False)
class LabelSpace:
    """The classes of a dataset, their colours and their values in its label maps.

    Two label spaces are the same when their names are; a pickled one comes back as another object.

    Attributes:
        name: "coco-stuff", "ade20k", "cityscapes", or that of a label space of your own.
        names: Class names by class index, the unknown class included.
        colours: Colours by class index, uint8 [num_classes, 3], read-only.
        has_instance_edges: Whether the generator also takes an instance-edge channel.
        size: Height and width of the label map the published checkpoint was trained on.
        published_values: Label map values by class index, as the dataset publishes them.
    """

    name: str
    names: tuple[str, ...]
    colours: NDArray[np.uint8]
    has_instance_edges: bool
    size: tuple[int, int]
    published_values: tuple[int, ...]

    def __post_init__(self) -> None:
        self.colours.setflags(write=False)

    def __reduce__(self) -> tuple[type["LabelSpace"], tuple[Any, ...]]:
        # Through the constructor, for an unpickled array would be writeable.
        return LabelSpace, tuple(getattr(self, field.name) for field in fields(self))

    @property
    def num_classes(self) -> int:
        """Number of classes, the unknown class included."""
        return len(self.names)

    @property
    def semantic_channels(self) -> int:
        """Number of input channels of a generator: the classes, and the edge channel if any."""
        return self.num_classes + self.has_instance_edges

    @property
    def raw_values(self) -> tuple[int, ...]:
        """Values by class index in an 8-bit PNG, where a published -1 is 255."""
        return tuple(value % 256 for value in self.published_values)

    @cached_property
    def _index_of_value(self) -> NDArray[np.int64]:
        # One slot for each of 0..255, -1 (the last) and all that is above or below; -1 = no class.
        table = np.full(259, -1, np.int64)
        for values in (self.raw_values, self.published_values):
            table[list(values)] = np.arange(self.num_classes)
        return table

    def decode(self, raw: NDArray[Any]) -> NDArray[np.int64]:
        """Turn the values of a label map into class indices.

        Args:
            raw: Label map as read from its PNG file, any integer dtype [H, W].

        Returns:
            Class indices, int64 [H, W].

        Raises:
            ValueError: The array is not 2-D, not of integers, or holds values that are no class.
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
        """Turn class indices into the values of an 8-bit label map; the inverse of `decode`.

        Args:
            indices: Class indices in [0, num_classes), any integer dtype [H, W].

        Returns:
            Label map to write as PNG, uint8 [H, W].

        Raises:
            IndexError: An index is num_classes or more.
        """
        return np.array(self.raw_values, np.uint8).take(indices)

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


def instance_edges(instance_ids: NDArray[np.integer[Any]]) -> NDArray[np.bool_]:
    """Mark the pixels with a right, left, upper or lower neighbour of another instance.

    Both sides of a border are marked; the rim of the image is not a border. This is the edge
    channel of SPADE and, before it, of pix2pixHD (Wang et al., CVPR 2018).

    Args:
        instance_ids: Instance maps, any integer dtype [H, W] or [N, H, W].

    Returns:
        Edges, bool of the same shape.
    """
    edges = np.zeros(instance_ids.shape, np.bool_)
    across = instance_ids[..., :, 1:] != instance_ids[..., :, :-1]
    edges[..., :, 1:] |= across
    edges[..., :, :-1] |= across
    down = instance_ids[..., 1:, :] != instance_ids[..., :-1, :]
    edges[..., 1:, :] |= down
    edges[..., :-1, :] |= down
    return edges


def pascal_colours(ids: Iterable[int]) -> NDArray[np.uint8]:
    """Colours of the PASCAL VOC colour map: an id's bits are dealt in turn to R, G and B.

    Args:
        ids: N of 0..255; 0 is black.

    Returns:
        Colours, uint8 [N, 3], all different.
    """
    bits = np.unpackbits(np.array(list(ids), np.uint8)[:, None], axis=1, count=8, bitorder="little")
    dealt = np.pad(bits, ((0, 0), (0, 1))).reshape(-1, 3, 3)
    weights = np.array([[128], [64], [32]], np.uint8)
    colours: NDArray[np.uint8] = (dealt * weights).sum(axis=1, dtype=np.uint8)
    return colours


def _split(names: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in names.split(","))


_COCO_STUFF_NAMES = _split("""
    person, bicycle, car, motorcycle, airplane, bus, train, truck, boat, traffic light,
    fire hydrant, street sign, stop sign, parking meter, bench, bird, cat, dog, horse, sheep,
    cow, elephant, bear, zebra, giraffe, hat, backpack, umbrella, shoe, eye glasses,
    handbag, tie, suitcase, frisbee, skis, snowboard, sports ball, kite, baseball bat,
    baseball glove, skateboard, surfboard, tennis racket, bottle, plate, wine glass, cup, fork,
    knife, spoon, bowl, banana, apple, sandwich, orange, broccoli, carrot, hot dog, pizza, donut,
    cake, chair, couch, potted plant, bed, mirror, dining table, window, desk, toilet,
    door, tv, laptop, mouse, remote, keyboard, cell phone, microwave, oven, toaster,
    sink, refrigerator, blender, book, clock, vase, scissors, teddy bear, hair drier, toothbrush,
    hair brush, banner, blanket, branch, bridge, building-other, bush, cabinet, cage, cardboard,
    carpet, ceiling-other, ceiling-tile, cloth, clothes, clouds, counter, cupboard, curtain,
    desk-stuff, dirt, door-stuff, fence, floor-marble, floor-other, floor-stone, floor-tile,
    floor-wood, flower, fog, food-other, fruit, furniture-other, grass, gravel, ground-other,
    hill, house, leaves, light, mat, metal, mirror-stuff, moss, mountain, mud,
    napkin, net, paper, pavement, pillow, plant-other, plastic, platform, playingfield, railing,
    railroad, river, road, rock, roof, rug, salad, sand, sea, shelf,
    sky-other, skyscraper, snow, solid-other, stairs, stone, straw, structural-other, table, tent,
    textile-other, towel, tree, vegetable, wall-brick, wall-concrete, wall-other, wall-panel,
    wall-stone, wall-tile, wall-wood, water-other, waterdrops, window-blind, window-other, wood,
    unknown""")

_ADE20K_NAMES = _split("""unknown,
    wall, building, sky, floor, tree, ceiling, road, bed, windowpane, grass,
    cabinet, sidewalk, person, earth, door, table, mountain, plant, curtain, chair,
    car, water, painting, sofa, shelf, house, sea, mirror, rug, field,
    armchair, seat, fence, desk, rock, wardrobe, lamp, bathtub, railing, cushion,
    base, box, column, signboard, chest of drawers, counter, sand, sink, skyscraper, fireplace,
    refrigerator, grandstand, path, stairs, runway, case, pool table, pillow, screen door, stairway,
    river, bridge, bookcase, blind, coffee table, toilet, flower, book, hill, bench,
    countertop, stove, palm, kitchen island, computer, swivel chair, boat, bar, arcade machine,
    hovel, bus, towel, light, truck, tower, chandelier, awning, streetlight, booth, television,
    airplane, dirt track, apparel, pole, land, bannister, escalator, ottoman, bottle, buffet,
    poster, stage, van, ship, fountain, conveyer belt, canopy, washer, plaything, swimming pool,
    stool, barrel, basket, waterfall, tent, bag, minibike, cradle, oven, ball,
    food, step, tank, trade name, microwave, pot, animal, bicycle, lake, dishwasher,
    screen, blanket, sculpture, hood, sconce, vase, traffic light, tray, ashcan, fan,
    pier, crt screen, plate, monitor, bulletin board, shower, radiator, glass, clock, flag""")

_CITYSCAPES_COLOURS = {
    "unlabeled": (0, 0, 0),
    "ego vehicle": (0, 0, 0),
    "rectification border": (0, 0, 0),
    "out of roi": (0, 0, 0),
    "static": (0, 0, 0),
    "dynamic": (111, 74, 0),
    "ground": (81, 0, 81),
    "road": (128, 64, 128),
    "sidewalk": (244, 35, 232),
    "parking": (250, 170, 160),
    "rail track": (230, 150, 140),
    "building": (70, 70, 70),
    "wall": (102, 102, 156),
    "fence": (190, 153, 153),
    "guard rail": (180, 165, 180),
    "bridge": (150, 100, 100),
    "tunnel": (150, 120, 90),
    "pole": (153, 153, 153),
    "polegroup": (153, 153, 153),
    "traffic light": (250, 170, 30),
    "traffic sign": (220, 220, 0),
    "vegetation": (107, 142, 35),
    "terrain": (152, 251, 152),
    "sky": (70, 130, 180),
    "person": (220, 20, 60),
    "rider": (255, 0, 0),
    "car": (0, 0, 142),
    "truck": (0, 0, 70),
    "bus": (0, 60, 100),
    "caravan": (0, 0, 90),
    "trailer": (0, 0, 110),
    "train": (0, 80, 100),
    "motorcycle": (0, 0, 230),
    "bicycle": (119, 11, 32),
    "license plate": (0, 0, 142),
}

COCO_STUFF: Final = LabelSpace(
    name="coco-stuff",
    names=_COCO_STUFF_NAMES,
    # Coloured by COCO-Stuff's own ids, 1..182 and 0 for unlabelled, so that unknown is black.
    colours=pascal_colours([*range(1, 183), 0]),
    has_instance_edges=True,
    size=(256, 256),
    published_values=(*range(182), 255),
)
"""COCO-Stuff (Caesar et al., CVPR 2018): 182 classes at their published id - 1, and unknown.

The 11 ids that COCO reserved and never used are classes too, as in the published checkpoint.
"""

ADE20K: Final = LabelSpace(
    name="ade20k",
    names=_ADE20K_NAMES,
    colours=pascal_colours(range(151)),
    has_instance_edges=False,
    size=(256, 256),
    published_values=(*range(151),),
)
"""ADE20K scene parsing (Zhou et al., CVPR 2017): 150 classes at their raw values, 0 is unknown."""

CITYSCAPES: Final = LabelSpace(
    name="cityscapes",
    names=tuple(_CITYSCAPES_COLOURS),
    colours=np.array(list(_CITYSCAPES_COLOURS.values()), np.uint8),
    has_instance_edges=True,
    size=(256, 512),
    published_values=(*range(34), -1),
)
"""Cityscapes (Cordts et al., CVPR 2016): 34 classes at their label ids, and license plate (-1).

The colours are the official ones, of which several classes share black and a few others.
"""

LABEL_SPACES: Final[Mapping[str, LabelSpace]] = {
    space.name: space for space in (COCO_STUFF, ADE20K, CITYSCAPES)
}
"""Every label space by its name."""
