"""``python -m tools.demo_inputs.draw_layouts``."""

import argparse
from pathlib import Path

import spadepis.demo
from tools.demo_inputs.layouts import draw_layouts

if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        f"python -m {__spec__.name}", description="Draw the label maps of the demonstration."
    )
    inputs = Path(spadepis.demo.__file__).parent / "inputs"
    parser.add_argument("--output", type=Path, default=inputs, help="default: %(default)s")
    draw_layouts(parser.parse_args().output)
