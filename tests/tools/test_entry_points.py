"""Every tool is a command with a help text, and says by which command it is run."""

import runpy
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ENTRY_POINTS = sorted(
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__main__")
    for path in (ROOT / "tools").rglob("*.py")
    if "__name__ ==" in path.read_text(encoding="utf-8")
)


def test_the_tools_are_found() -> None:
    assert {"tools.benchmark", "tools.count_launches", "tools.studies.augmentation"} <= set(
        ENTRY_POINTS
    )


@pytest.mark.filterwarnings("ignore:.*found in sys.modules:RuntimeWarning")
@pytest.mark.parametrize("module", ENTRY_POINTS)
def test_help(
    module: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", [module, "--help"])
    with pytest.raises(SystemExit) as ended:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    assert ended.value.code in (0, None)
    shown = capsys.readouterr().out
    assert shown.startswith(f"usage: python -m {module} ")
    # Between the usage and the options there is what the tool does.
    description = shown.partition("\n\n")[2].partition("\n\n")[0]
    assert len(description.split()) > 3
