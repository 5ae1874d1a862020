"""The dataset card of an image set, its README.md.

Its header, in YAML, is what ``datasets.load_dataset(folder)`` of Hugging Face goes by: which files
belong to the data, whatever their names are, and the columns.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa
import yaml

from spadepis.checkpoints.defaults import shipped_weights
from spadepis.dataset.image_set.commits import done
from spadepis.dataset.image_set.completeness import expected_sizes
from spadepis.dataset.image_set.index import metadata_columns, rows_by_split
from spadepis.dataset.image_set.layout import KINDS, METADATA, SHARDS, shards_of_split
from spadepis.dataset.image_set.splits import TRAIN, metadata_of_split
from spadepis.dataset.image_set.writer import USUAL_KINDS
from spadepis.labels.training import TrainingLabels
from spadepis.report.settings import shown

CHECKPOINTS = ("spade_checkpoint_sha256", "photowct_checkpoint_sha256")
# What the card says about images that are files, and about images in Parquet shards.
FILES_TEXT = """\
- `metadata.parquet` has a row for each image. `file_name` is the image, `mask_file_name` its label
  map of the same size (with the values of the source dataset), `content_file_name` the photo before
  stylization, `instance_file_name` the instance map of the same size (with the ids of the source),
  `mask_id` and `style_id` are its ids. Columns without any value are left out.
- `failures.parquet` has a row for each failed pair, with the stage, the file and the reason.
- `report.html` shows some of the images."""
SHARDS_TEXT = """\
- `data/*.parquet` has a row for each image. `image` is the image, `mask` its label map of the same
  size (with the values of the source dataset), `content` the photo before stylization, `instance`
  the instance map if the set has any, each a struct of the bytes and the name of a file; `mask_id`
  and `style_id` are its ids.
- `metadata.parquet` says where each image is: `data/part-0123.parquet#column=image&row=3`.
- `failures.parquet` has a row for each failed pair, with the stage, the file and the reason.
- `report.html` shows some of the images."""
# Words that Hugging Face's image folder takes for a split wherever they stand in a file name.
_SPLIT_WORD = re.compile(
    r"(?<![^\W_])(train|training|validation|valid|val|dev|test|testing|eval|evaluation)(?![^\W_])",
    re.IGNORECASE,
)


def dataset_card(
    summary: Mapping[str, Any],
    log: pa.Table,
    identity: Mapping[str, Any],
    labels: TrainingLabels,
    split_by: str | None = None,
) -> str:
    """The README of an image set, in Markdown.

    Args:
        summary: what ``summarize`` returns for ``log``.
        log: all pairs of the image set, as ``read_log`` returns them.
        identity: the settings that the image set was made with.
        labels: the classes of the label maps.
        split_by: the rule of ``split_of``, if the set is split.
    """
    in_shards = identity["output_format"] == "parquet"
    finished = done(log)
    splits = {TRAIN: finished} if split_by is None else rows_by_split(finished, split_by)
    header: dict[str, Any] = {
        "pretty_name": f"{summary['done']} images of {summary['scenes']} scenes",
        "task_categories": ["image-segmentation"],
        **_licence(identity),
        "configs": [_configuration(finished, in_shards, split_by and list(splits))],
        "dataset_info": {
            "config_name": "default",
            "features": _features(finished, in_shards),
            **_split_sizes(splits),
        },
    }
    if "mask_file_name" in metadata_columns(finished):
        header |= {
            "class_names": labels.names_by_value,
            "training_classes": list(labels.classes),
            "ignore_index": labels.ignore_index,
        }
    settings = "\n".join(f"| {name} | {value} |" for name, value in shown(identity).items())
    seconds = "\n".join(
        f"| {stage} | {value:.3f} |" for stage, value in summary["seconds_per_image"].items()
    )
    return f"""---
{yaml.safe_dump(header, sort_keys=False, allow_unicode=True)}---

# Image set

{summary["done"]} images of {summary["scenes"]} scenes; {summary["failed"]} pairs failed and
{summary["rejected"]} were rejected.

{SHARDS_TEXT if in_shards else FILES_TEXT}

```python
from spadepis import ImageSet

image, mask = ImageSet("path/of/this/folder")[0]
```

Hugging Face reads the same with `datasets.load_dataset("path/of/this/folder", split="train")`.

| stage | worker seconds per image |
|---|---|
{seconds}

| setting | value |
|---|---|
{settings}
"""


def split_words(log: pa.Table) -> list[str]:
    """Words in the ids of images that Hugging Face's image folder would take for splits."""
    log = done(log)
    ids = {*log["mask_id"].unique().to_pylist(), *log["style_id"].drop_null().unique().to_pylist()}
    return sorted({word.lower() for id in ids for word in _SPLIT_WORD.findall(id)})


def _configuration(
    finished: pa.Table, in_shards: bool, splits: Sequence[str] | None
) -> dict[str, Any]:
    """Which files hold the images of each split; those of a set that is not split are ``TRAIN``."""
    columns = metadata_columns(finished)
    images = [f"{kind.folder}/**" for kind in KINDS if kind.name_column in columns]
    if in_shards:
        paths = {split: [shards_of_split(split)] for split in splits or ()} or {
            TRAIN: [f"{SHARDS}/*.parquet"]
        }
    else:
        paths = {split: [metadata_of_split(split), *images] for split in splits or ()} or {
            TRAIN: [METADATA, *images]
        }
    data_files = [{"split": split, "path": path} for split, path in paths.items()]
    configuration: dict[str, Any] = {"config_name": "default", "data_files": data_files}
    if splits is not None and not in_shards:
        configuration["metadata_filenames"] = [path[0] for path in paths.values()]
    return configuration


def _split_sizes(splits: Mapping[str, pa.Table]) -> dict[str, list[dict[str, Any]]]:
    """The images of each split, which Hugging Face compares with those it finds, and their bytes.

    It takes one only with the other, and rows of version 0.1 do not tell the bytes.
    """
    sizes = {name: expected_sizes(rows).values() for name, rows in splits.items()}
    if any(None in each for objects in sizes.values() for each in objects):
        return {}
    return {
        "splits": [
            {
                "name": name,
                "num_bytes": sum(max(size or 0 for size in each) for each in sizes[name]),
                "num_examples": len(rows),
            }
            for name, rows in splits.items()
        ]
    }


def _features(finished: pa.Table, in_shards: bool) -> list[dict[str, str]]:
    """The columns that Hugging Face's reader gives."""
    names = metadata_columns(finished)
    if in_shards:
        images = [
            {"name": kind.name, "dtype": "image"}
            for kind in KINDS
            if kind.name in USUAL_KINDS or kind.name_column in names
        ]
        return images + [{"name": name, "dtype": "string"} for name in ("mask_id", "style_id")]
    image_names = {kind.name_column: kind.name for kind in KINDS}
    features = []
    for name in names:
        kind = finished.schema.field(name).type
        if name in image_names:
            features.append({"name": image_names[name], "dtype": "image"})
        elif pa.types.is_list(kind):
            features.append({"name": name, "list": str(kind.value_type)})
        else:
            known = {"float": "float32"}
            features.append({"name": name, "dtype": known.get(str(kind), str(kind))})
    return features


def _licence(identity: Mapping[str, Any]) -> dict[str, str]:
    """The licence of the weights, which applies to the images."""
    used = {identity[name] for name in CHECKPOINTS if identity.get(name)}
    if used & shipped_weights():
        return {
            "license": "other",
            "license_name": "for research only: weights that come with spadepis",
        }
    return {"license": "unknown", "license_name": "that of the weights, whose SHA-256 is below"}
