"""Translation of label maps for a generator that was trained for COCO-Stuff.

The folder ``to_coco_stuff`` holds a YAML file for each label space that can be translated. It names
the class of COCO-Stuff that is most like each of its classes.
"""

from __future__ import annotations

from importlib.resources import files

from spadepis.configuration import read_yaml
from spadepis.labels.label_space import LabelSpace
from spadepis.labels.published import ADE20K, CITYSCAPES, COCO_STUFF

TRANSLATED_SPACES = frozenset((ADE20K.name, CITYSCAPES.name))
"""The ``generator_space`` of label spaces whose classes can be translated to COCO-Stuff's."""


def coco_stuff_classes(space: LabelSpace) -> tuple[int, ...]:
    """The class of COCO-Stuff that is most like each class, by class index.

    Args:
        space: whose ``generator_space`` is one of ``TRANSLATED_SPACES``.
    """
    table = read_yaml(str(files(__package__) / "to_coco_stuff" / f"{space.generator_space}.yaml"))
    return tuple(COCO_STUFF.names.index(table[name]) for name in space.names)
