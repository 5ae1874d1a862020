import sys

from spadepis.benchmark.scaling import run_simulation

if __name__ == "__main__":
    sys.exit(run_simulation(sys.argv[1:]))
