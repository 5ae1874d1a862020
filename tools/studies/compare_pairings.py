"""Compare image sets whose styles were chosen in different ways: do the styles suit the scenes?

Prints a Markdown table; see docs/benchmarks.md#matched-styles.
"""

from __future__ import annotations

import argparse

from spadepis.labels.custom import find_label_space
from tools.studies.pairing_comparison import compare_pairings, table_of

if __name__ == "__main__":
    parser = argparse.ArgumentParser(f"python -m {__spec__.name}", description=__doc__)
    parser.add_argument("image_sets", nargs="+", help="output folders of finished jobs")
    parser.add_argument("--style-masks", required=True, help="label maps of the styles")
    parser.add_argument(
        "--label-space", default="coco-stuff", help="label space of all label maps (%(default)s)"
    )
    arguments = parser.parse_args()
    space = find_label_space(arguments.label_space)
    print(table_of(compare_pairings(arguments.image_sets, arguments.style_masks, space)))
