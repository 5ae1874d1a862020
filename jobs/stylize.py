import sys

from spadepis.cli.main import run_job
from spadepis.pipeline.config.job import Job

if __name__ == "__main__":
    sys.exit(run_job(Job.STYLIZE, sys.argv[1:]))
