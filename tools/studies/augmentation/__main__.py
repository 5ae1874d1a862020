"""``python -m tools.studies.augmentation``."""

import sys

from spadepis.training.runs import run_job
from tools.studies.augmentation.config import AugmentationStudyConfig
from tools.studies.augmentation.study import augmentation_study_job

if __name__ == "__main__":
    sys.exit(run_job(AugmentationStudyConfig, augmentation_study_job, sys.argv[1:]))
