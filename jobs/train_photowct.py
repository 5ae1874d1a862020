import sys

from spadepis.training.config import TrainPhotoWCTConfig
from spadepis.training.runs import run_job, train_photowct_job

if __name__ == "__main__":
    sys.exit(run_job(TrainPhotoWCTConfig, train_photowct_job, sys.argv[1:]))
