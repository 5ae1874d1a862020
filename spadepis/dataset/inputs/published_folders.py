"""Where the label maps, instance maps and photos of published datasets lie once unpacked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Final

from spadepis.dataset.storage.filesystems import filesystem
from spadepis.dataset.storage.retrying import attempt
from spadepis.filesystem_errors import reason
from spadepis.labels import ADE20K, CITYSCAPES, COCO_STUFF, LabelSpace

_SHOWN_ENTRIES = 8


class LayoutError(ValueError):
    """A dataset that has no such split."""


@dataclass(frozen=True)
class Layout:
    """The folders of a dataset, relative to its root.

    Attributes:
        label_space: label space of its label maps.
        splits: names of its splits.
        paths: folders and globs by what is in them, "masks", "instances" or "photos";
            ``{split}`` stands for the split. The ids of all are the same.
        hint: how to get what is missing.
    """

    label_space: LabelSpace
    splits: Sequence[str]
    paths: Mapping[str, str]
    hint: str

    def inputs(self, root: str, split: str) -> Mapping[str, str]:
        """Folders and globs by what is in them, below a root; no file system is asked.

        Raises:
            LayoutError: there is no such split.
        """
        if split not in self.splits:
            raise LayoutError(
                f"{self.label_space.name} has no split {split}, only {', '.join(self.splits)}"
            )
        base = root.rstrip("/")
        return {kind: f"{base}/{path.format(split=split)}" for kind, path in self.paths.items()}

    def mismatch(self, root: str) -> str:
        """What to say about a root where something of this layout is not found."""
        looked_for = ", ".join(f"{kind} in {path}" for kind, path in self.paths.items())
        return (
            f"the layout of {self.label_space.name} is {looked_for}; {root} holds "
            f"{_entries(root)}. {self.hint}"
        )


def _entries(root: str) -> str:
    """The first names in a folder, for people."""
    fs, path = filesystem(root)
    try:
        found: list[str] = attempt(fs.ls, path, False)
    except OSError as error:
        return f"nothing that can be listed ({reason(error)})"
    names = sorted(PurePosixPath(entry).name for entry in found)
    more = ", ..." if len(names) > _SHOWN_ENTRIES else ""
    return ", ".join(names[:_SHOWN_ENTRIES]) + more if names else "nothing"


LAYOUTS: Final[Mapping[str, Layout]] = {
    COCO_STUFF.name: Layout(
        label_space=COCO_STUFF,
        splits=("train2017", "val2017"),
        paths={
            "masks": "stuffthingmaps/{split}",
            "instances": "instances/{split}",
            "photos": "images/{split}",
        },
        hint="Unpack stuffthingmaps_trainval2017.zip into stuffthingmaps, the photos into images, "
        "and make instances with jobs/make_instance_maps.py",
    ),
    ADE20K.name: Layout(
        label_space=ADE20K,
        splits=("training", "validation"),
        paths={"masks": "annotations/{split}", "photos": "images/{split}"},
        hint="Unpack ADEChallengeData2016.zip and give the folder of that name",
    ),
    CITYSCAPES.name: Layout(
        label_space=CITYSCAPES,
        splits=("train", "val", "test"),
        paths={
            "masks": "gtFine/{split}/*/*_gtFine_labelIds.png",
            "instances": "gtFine/{split}/*/*_gtFine_instanceIds.png",
            "photos": "leftImg8bit/{split}/*/*_leftImg8bit.png",
        },
        hint="Unpack gtFine_trainvaltest.zip, and leftImg8bit_trainvaltest.zip for photos, into "
        "one folder and give it",
    ),
}
"""Every layout by the name of the dataset, which is that of its label space."""
