import sys

from spadepis.training.augmentation_config import AugmentationStudyConfig
from spadepis.training.augmentation_study import augmentation_study_job
from spadepis.training.runs import run_job

if __name__ == "__main__":
    sys.exit(run_job(AugmentationStudyConfig, augmentation_study_job, sys.argv[1:]))
