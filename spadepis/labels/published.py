"""The label spaces of published datasets.

The class order is that of the published SPADE checkpoints (Park et al., "Semantic Image Synthesis
with Spatially-Adaptive Normalization", CVPR 2019): a class index is an input channel.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

import numpy as np

from spadepis.labels.colours import pascal_colours
from spadepis.labels.label_space import LabelSpace


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

COCO_STUFF_1_TO_182: Final = replace(
    COCO_STUFF,
    name="coco-stuff-1-to-182",
    published_values=(*range(1, 183), 0),
    numbering_of=COCO_STUFF.name,
)
"""COCO-Stuff numbered by its published ids, 1..182, where 0 is unlabelled."""

ADE20K_0_TO_149: Final = replace(
    ADE20K,
    name="ade20k-0-to-149",
    published_values=(255, *range(150)),
    numbering_of=ADE20K.name,
)
"""ADE20K as many training sets number it: 0..149, where 255 is unlabelled."""

_TRAIN_CLASSES = _split("""
    road, sidewalk, building, wall, fence, pole, traffic light, traffic sign, vegetation, terrain,
    sky, person, rider, car, truck, bus, train, motorcycle, bicycle""")
# The other classes are ignored in training, as unlabelled pixels are.
_TRAIN_IDS = {name: index for index, name in enumerate(_TRAIN_CLASSES)} | {"unlabeled": 255}

CITYSCAPES_TRAIN_IDS: Final = replace(
    CITYSCAPES,
    name="cityscapes-train-ids",
    published_values=tuple(map(_TRAIN_IDS.get, CITYSCAPES.names)),
    numbering_of=CITYSCAPES.name,
)
"""The ``labelTrainIds`` of Cityscapes: 19 classes, and 255 for everything that is ignored."""

LABEL_SPACES: Final[Mapping[str, LabelSpace]] = {
    space.name: space
    for space in (
        COCO_STUFF,
        ADE20K,
        CITYSCAPES,
        COCO_STUFF_1_TO_182,
        ADE20K_0_TO_149,
        CITYSCAPES_TRAIN_IDS,
    )
}
"""Every label space by its name."""
