"""A setting is added in one place: flag, key, ``--help``, reference and identity follow."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import pytest
from pydantic import Field

from spadepis.configuration import ConfigurationError
from spadepis.pipeline.config import groups
from spadepis.pipeline.config.command import parse_config
from spadepis.pipeline.config.groups import Group, OutputSettings, Setting
from spadepis.pipeline.config.identity import identify
from spadepis.pipeline.config.job import Job
from tools.configuration_reference import configuration_reference


class Extended(OutputSettings):
    """The output settings, with two that are new."""

    grain: int = Field(default=3, ge=0)
    """Grain of the film."""
    haste: Annotated[bool, Setting(jobs=(Job.STYLIZE,), identity=False)] = False
    """Do it faster."""


@pytest.fixture(autouse=True)
def extended(monkeypatch: pytest.MonkeyPatch) -> None:
    parts: Sequence[type[Group]] = [
        Extended if group is OutputSettings else group for group in groups.GROUPS
    ]
    monkeypatch.setattr(groups, "GROUPS", parts)


def test_it_is_a_flag_a_key_and_part_of_the_help(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "job.yaml"
    path.write_text("photos: p\nstyles: s\noutput: o\ngrain: 5\n")
    config = parse_config(Job.STYLIZE, ["--config", str(path), "--haste"])
    assert isinstance(config.output, Extended)
    assert (config.output.grain, config.output.haste) == (5, True)
    with pytest.raises(SystemExit):
        parse_config(Job.STYLIZE, ["--help"])
    help = capsys.readouterr().out
    assert "Grain of the film. (default: 3)" in help
    assert "--haste, --no-haste" in help


def test_a_job_that_does_not_have_it_says_who_has() -> None:
    with pytest.raises(ConfigurationError, match="takes no --haste, a setting of stylize"):
        parse_config(Job.SYNTHESIZE, ["--masks=m", "--output=o", "--haste"])


def test_it_stands_in_the_reference() -> None:
    entries = configuration_reference().splitlines()
    assert "- **`--grain`** (integer ≥ 0; default `3`; fixed): Grain of the film." in entries
    assert "- **`--haste`** (switch; default off; only for `stylize`): Do it faster." in entries


def test_it_is_part_of_the_identity_if_it_is_marked_so() -> None:
    flags = ["--photos=p", "--styles=s", "--output=o", "--grain=4", "--haste"]
    identity = identify(parse_config(Job.STYLIZE, flags), ["s"])
    assert identity["grain"] == 4
    assert "haste" not in identity
