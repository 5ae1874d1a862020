import sys

from spadepis.training.config import TrainSpadeConfig
from spadepis.training.runs import run_job, train_spade_job

if __name__ == "__main__":
    sys.exit(run_job(TrainSpadeConfig, train_spade_job, sys.argv[1:]))
