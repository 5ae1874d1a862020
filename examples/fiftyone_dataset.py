"""A finished image set, in files, as a dataset of FiftyOne, to look at it in a browser.

python examples/fiftyone_dataset.py out
"""

import sys
from pathlib import Path

import fiftyone

from spadepis import ImageSet


def import_image_set(folder: str) -> fiftyone.Dataset:
    """A dataset with a sample for each image: its label map, ids and quality metrics."""
    images = ImageSet(folder)
    root = Path(folder).resolve()
    dataset = fiftyone.Dataset()
    dataset.default_mask_targets = images.training_labels.names_by_value
    files = {"file_name", "mask_file_name", "content_file_name"}
    samples = []
    for row in images.table.to_pylist():
        sample = fiftyone.Sample(filepath=str(root / row["file_name"]))
        sample["ground_truth"] = fiftyone.Segmentation(mask_path=str(root / row["mask_file_name"]))
        for name in row.keys() - files:
            sample[name] = row[name]
        samples.append(sample)
    dataset.add_samples(samples)
    return dataset


if __name__ == "__main__":
    fiftyone.launch_app(import_image_set(sys.argv[1])).wait()
