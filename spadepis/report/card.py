"""The dataset card of an image set, its README.md."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# What the card says about images that are files, and about images in Parquet shards.
FILES = """\
`metadata.parquet` has a row for each image: `file_name`, where there is one the label map of the
same size in `mask_file_name` (values as in the source dataset) and the photo before stylization in
`content_file_name`, and the ids of mask and style. `failures.parquet` has a row for each failed
pair, with the stage, the file and the reason. `report.html` shows some of the images."""
SHARDS = """\
`data/*.parquet` has a row for each image: `image`, where there is one the label map of the same
size in `mask` (values as in the source dataset) and the photo before stylization in `content`, each
a struct of the bytes of a file and its name, and the ids of mask and style. `metadata.parquet` says
where each image is: `data/part-0123.parquet#column=image&row=3`. `failures.parquet` has a row for
each failed pair, with the stage, the file and the reason. `report.html` shows some images."""
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

{summary["done"]} images of {summary["scenes"]} scenes; {summary["failed"]} pairs failed,
{summary["rejected"]} were rejected.

{SHARDS if in_shards else FILES}

```python
from spadepis import ImageSet

image, mask = ImageSet("path/of/this/folder")[0]
```

| stage | seconds of one worker per image |
|---|---|
{seconds}

| setting | value |
|---|---|
{settings}
"""
