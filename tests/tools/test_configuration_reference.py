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


def test_every_setting_has_its_row_under_the_heading_of_its_group() -> None:
    heading, settings = "", []
    for line in configuration_reference().splitlines():
        heading = line.removeprefix("## ") if line.startswith("## ") else heading
        if line.startswith("| `"):
            settings.append((heading, line.split("`")[1].replace("[no-]", "")))
    assert settings == [
        (group.heading, f"--{name.replace('_', '-')}")
        for group in GROUPS
        for name in group.model_fields
    ]


def test_a_row_says_what_the_setting_is() -> None:
    rows = {
        line.split("`")[1]: line for line in configuration_reference().splitlines() if "`" in line
    }
    assert rows["--photos"].startswith("| `--photos` | text |  |  | ● |  | Photos to stylize")
    assert "| integer ≥ 1, ≤ 100 | `95` | ○ | ○ | ○ |" in rows["--jpeg-quality"]
    assert "| switch | on | ○ | ○ | ○ |" in rows["--[no-]keep-contents"]
    assert "| `files`, `parquet` | `files` |" in rows["--output-format"]
