"""``tf.train``: checkpoints, and the optimizers of TensorFlow 1."""

from fastgrad.train.checkpoint import Checkpoint as Checkpoint
from fastgrad.train.checkpoint_manager import CheckpointManager as CheckpointManager
from fastgrad.train.checkpoint_state import get_checkpoint_state as get_checkpoint_state
from fastgrad.train.checkpoint_state import latest_checkpoint as latest_checkpoint
from fastgrad.train.checkpoint_state import list_variables as list_variables
from fastgrad.train.checkpoint_state import load_variable as load_variable

# ---- train/optimizers.py
from fastgrad.train.optimizers import AdagradOptimizer as AdagradOptimizer
from fastgrad.train.optimizers import AdamOptimizer as AdamOptimizer
from fastgrad.train.optimizers import GradientDescentOptimizer as GradientDescentOptimizer
from fastgrad.train.optimizers import MomentumOptimizer as MomentumOptimizer
from fastgrad.train.optimizers import Optimizer as Optimizer
from fastgrad.train.optimizers import RMSPropOptimizer as RMSPropOptimizer
from fastgrad.train.optimizers import get_global_step as get_global_step
from fastgrad.train.optimizers import get_or_create_global_step as get_or_create_global_step
