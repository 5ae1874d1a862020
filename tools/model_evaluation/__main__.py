"""``python -m tools.model_evaluation``."""

import sys

from spadepis.training.runs import run_job
from tools.model_evaluation.config import EvaluationConfig
from tools.model_evaluation.evaluation import evaluate_models

if __name__ == "__main__":
    sys.exit(run_job(EvaluationConfig, evaluate_models, sys.argv[1:], resumes=False))
