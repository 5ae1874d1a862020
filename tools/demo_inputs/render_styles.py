"""``python -m tools.demo_inputs.render_styles``."""

import argparse
from pathlib import Path

import spadepis.demo
from tools.demo_inputs.styles import render_styles

if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        f"python -m {__spec__.name}", description="Render the style pictures of the demonstration."
    )
    styles = Path(spadepis.demo.__file__).parent / "inputs" / "styles"
    parser.add_argument("--output", type=Path, default=styles, help="default: %(default)s")
    render_styles(parser.parse_args().output)
