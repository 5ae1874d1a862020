"""A finished image set, in files, as a dataset of MMSegmentation 1.x.

In a configuration of MMSegmentation:

default_scope = "mmseg"
custom_imports = dict(imports=["examples.mmsegmentation_dataset"])
train_dataloader = dict(
    batch_size=4,
    dataset=dict(type="ImageSetDataset", data_root="out", pipeline=train_pipeline),
)
"""

from typing import Any

from mmseg.datasets import BaseSegDataset
from mmseg.registry import DATASETS

from spadepis import ImageSet


@DATASETS.register_module()
class ImageSetDataset(BaseSegDataset):
    """The images of an image set with their label maps, as training indices.

    Args:
        data_root: local folder of the image set.
        arguments: those of ``BaseSegDataset``.
    """

    def __init__(self, data_root: str, **arguments: Any) -> None:
        self.images = ImageSet(data_root)
        metainfo = {"classes": list(self.images.classes)}
        super().__init__(data_root=data_root, metainfo=metainfo, **arguments)

    def load_data_list(self) -> list[dict[str, Any]]:
        """The files of each image, with the training index of each value of its label map."""
        names = self.images.table.select(["file_name", "mask_file_name"]).to_pylist()
        label_map = self.images.training_labels.indices_by_value
        return [
            {
                "img_path": f"{self.data_root}/{name['file_name']}",
                "seg_map_path": f"{self.data_root}/{name['mask_file_name']}",
                "label_map": label_map,
                "reduce_zero_label": False,
                "seg_fields": [],
            }
            for name in names
        ]
