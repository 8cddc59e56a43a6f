"""Runs a program of DeepXDE: `deepxde_program.py FLOAT STEPS SCRIPT`. It prints the losses, as DeepXDE does.

The seed is fixed, each training ends after STEPS steps, and L-BFGS is left out: it is a function of TensorFlow Probability.
"""

import os
import random
import runpy
import sys
from pathlib import Path
from typing import Any


def main(dtype: str, steps: int, script: Path) -> None:
    """Runs a script with trainings of so many steps."""
    os.environ["DDE_BACKEND"] = "tensorflow"
    random.seed(7)  # initializers take their seeds from it when DeepXDE is imported
    import deepxde

    deepxde.config.set_default_float(dtype)
    deepxde.config.set_random_seed(7)
    train = deepxde.Model.train

    def short_train(model: Any, iterations: int | None = None, **options: Any) -> Any:
        if model.opt_name in ("L-BFGS", "L-BFGS-B"):
            return model.losshistory, model.train_state
        options["display_every"] = steps // 10
        return train(model, iterations=min(iterations or steps, steps), **options)

    deepxde.Model.train = short_train
    deepxde.saveplot = lambda *arguments, **options: None
    os.chdir(script.parent)
    runpy.run_path(script.name, run_name="__main__")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]).resolve())
