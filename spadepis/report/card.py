"""The dataset card of an image set, its README.md."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# What the card says about images that are files, and about images in Parquet shards.
FILES = """\
- `metadata.parquet` has a row for each image. `file_name` is the image, `mask_file_name` its label
  map of the same size (with the values of the source dataset), `content_file_name` the photo before
  stylization, `mask_id` and `style_id` are its ids. Columns without any value are left out.
- `failures.parquet` has a row for each failed pair, with the stage, the file and the reason.
- `report.html` shows some of the images."""
SHARDS = """\
- `data/*.parquet` has a row for each image. `image` is the image, `mask` its label map of the same
  size (with the values of the source dataset), `content` the photo before stylization, each a
  struct of the bytes and the name of a file; `mask_id` and `style_id` are its ids.
- `metadata.parquet` says where each image is: `data/part-0123.parquet#column=image&row=3`.
- `failures.parquet` has a row for each failed pair, with the stage, the file and the reason.
- `report.html` shows some of the images."""
# Hugging Face's reader takes this from the head of the card.
SHARDS_ARE_THE_DATA = """\
---
configs:
- config_name: default
  data_files: data/*.parquet
---

"""


def dataset_card(summary: Mapping[str, Any], identity: Mapping[str, Any]) -> str:
    """The README of an image set, in Markdown.

    Args:
        summary: what ``summarize`` returns.
        identity: the settings that the image set was made with.
    """
    in_shards = identity["output_format"] == "parquet"
    settings = "\n".join(f"| {name} | {value} |" for name, value in identity.items())
    seconds = "\n".join(
        f"| {stage} | {value:.3f} |" for stage, value in summary["seconds_per_image"].items()
    )
    return f"""{SHARDS_ARE_THE_DATA if in_shards else ""}# Image set

{summary["done"]} images of {summary["scenes"]} scenes; {summary["failed"]} pairs failed and
{summary["rejected"]} were rejected.

{SHARDS if in_shards else FILES}

```python
from spadepis import ImageSet

image, mask = ImageSet("path/of/this/folder")[0]
```

| stage | worker seconds per image |
|---|---|
{seconds}

| setting | value |
|---|---|
{settings}
"""
