"""``python -m tools.label_photos``."""

import sys

from spadepis.training.runs import run_job
from tools.label_photos.config import LabelPhotosConfig
from tools.label_photos.labelling import label_photos

if __name__ == "__main__":
    sys.exit(run_job(LabelPhotosConfig, label_photos, sys.argv[1:], resumes=False))
