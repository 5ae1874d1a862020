"""``python -m tools.benchmark``."""

import sys

from tools.benchmark.job import run_job

if __name__ == "__main__":
    sys.exit(run_job(sys.argv[1:]))
