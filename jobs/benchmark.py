import sys

from spadepis.benchmark.job import run_job

if __name__ == "__main__":
    sys.exit(run_job(sys.argv[1:]))
