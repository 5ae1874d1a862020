import argparse
from pathlib import Path

from spadepis.pipeline.config_reference import configuration_reference

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Write the reference of the jobs' settings.")
    reference = Path(__file__).parents[1] / "docs" / "configuration.md"
    parser.add_argument("--output", type=Path, default=reference, help="docs/configuration.md")
    parser.parse_args().output.write_text(configuration_reference(), encoding="utf-8")
