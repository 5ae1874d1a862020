"""``python -m tools.gpu_check``."""

import sys

from tools.gpu_check.check import run

if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))
