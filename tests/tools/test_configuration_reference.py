"""docs/configuration.md is what the groups of settings say today."""

from pathlib import Path

from spadepis.pipeline.config.groups import GROUPS
from tools.configuration_reference import configuration_reference

REFERENCE = Path(__file__).parents[2] / "docs" / "configuration.md"


def test_the_reference_is_up_to_date() -> None:
    if REFERENCE.read_text(encoding="utf-8") != configuration_reference():
        raise AssertionError(
            "the settings have changed: run python -m tools.configuration_reference"
        )


def test_every_setting_has_its_entry_under_the_heading_of_its_group() -> None:
    heading, settings = "", []
    for line in configuration_reference().splitlines():
        heading = line.removeprefix("## ") if line.startswith("## ") else heading
        if line.startswith("- **`"):
            settings.append((heading, line.split("`")[1]))
    assert settings == [
        (group.heading, f"--{name.replace('_', '-')}")
        for group in GROUPS
        for name in group.model_fields
    ]


def test_an_entry_says_what_the_setting_takes_and_which_jobs_have_it() -> None:
    reference = " ".join(configuration_reference().split())
    for entry in (
        "- **`--photos`** (text; fixed; needed; only for `stylize`): Photos to stylize",
        "- **`--synthesis-workers`** (integer ≥ 1; not for `stylize`): Number",
        "- **`--masks`** (text; fixed; needed by `synthesize` and `synthesize_and_stylize`): Label",
        "- **`--jpeg-quality`** (integer ≥ 1, ≤ 100; default `95`; fixed): Quality",
        "- **`--keep-contents`** (switch; default on; fixed; no effect on `synthesize`): Also",
        "- **`--output-format`** (`files` or `parquet`; default `files`; fixed): Form",
        "- **`--output`** (text; needed): Folder",
    ):
        assert entry in reference
