import sys

from spadepis.training.config import EvaluationConfig
from spadepis.training.evaluation import evaluate_models_job
from spadepis.training.runs import run_job

if __name__ == "__main__":
    sys.exit(run_job(EvaluationConfig, evaluate_models_job, sys.argv[1:]))
