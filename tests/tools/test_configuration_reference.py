"""docs/configuration.md is what the configuration object says today."""

from pathlib import Path

from spadepis.pipeline.config.settings import JobConfig
from tools.configuration_reference import GROUP_STARTS, configuration_reference

REFERENCE = Path(__file__).parents[2] / "docs" / "configuration.md"


def test_the_reference_is_up_to_date() -> None:
    if REFERENCE.read_text(encoding="utf-8") != configuration_reference():
        raise AssertionError(
            "the settings have changed: run python -m tools.configuration_reference"
        )


def test_every_setting_has_its_row() -> None:
    settings = [
        line.split("`")[1].replace("[no-]", "")
        for line in configuration_reference().splitlines()
        if line.startswith("| `")
    ]
    names = [f"--{name.replace('_', '-')}" for name in JobConfig.model_fields]
    assert sorted(settings) == sorted(names)
    assert set(GROUP_STARTS) <= set(JobConfig.model_fields)


def test_a_row_says_what_the_object_says() -> None:
    rows = {
        line.split("`")[1]: line for line in configuration_reference().splitlines() if "`" in line
    }
    assert rows["--photos"].startswith("| `--photos` | text |  |  | ● |  | Photos to stylize")
    assert "| integer ≥ 1, ≤ 100 | `95` | ○ | ○ | ○ |" in rows["--jpeg-quality"]
    assert "| switch | on | ○ | ○ | ○ |" in rows["--[no-]keep-contents"]
    assert "| `files`, `parquet` | `files` |" in rows["--output-format"]
