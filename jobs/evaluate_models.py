import runpy
import sys
from pathlib import Path

if __name__ == "__main__":
    # What measures is not part of the package.
    sys.path.insert(0, str(Path(__file__).parents[1]))
    runpy.run_module("tools.model_evaluation", run_name="__main__")
