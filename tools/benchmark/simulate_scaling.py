"""``python -m tools.benchmark.simulate_scaling``."""

import sys

from tools.benchmark.scaling import run_simulation

if __name__ == "__main__":
    sys.exit(run_simulation(sys.argv[1:]))
