"""``python -m tools.studies.pcakd``."""

import sys

from spadepis.training.runs import run_job
from tools.studies.pcakd.comparison import compare
from tools.studies.pcakd.config import ComparisonConfig

if __name__ == "__main__":
    sys.exit(run_job(ComparisonConfig, compare, sys.argv[1:], resumes=False))
