"""``tf.train``: checkpoints."""

from fastgrad.train.checkpoint import Checkpoint as Checkpoint
from fastgrad.train.checkpoint_manager import CheckpointManager as CheckpointManager
from fastgrad.train.checkpoint_state import get_checkpoint_state as get_checkpoint_state
from fastgrad.train.checkpoint_state import latest_checkpoint as latest_checkpoint
from fastgrad.train.checkpoint_state import list_variables as list_variables
from fastgrad.train.checkpoint_state import load_variable as load_variable
