"""Neural-network operations (``tf.nn``)."""

# ---- ops/activation.py
from fastgrad.ops.activation import crelu as crelu
from fastgrad.ops.activation import elu as elu
from fastgrad.ops.activation import gelu as gelu
from fastgrad.ops.activation import leaky_relu as leaky_relu
from fastgrad.ops.activation import log_softmax as log_softmax
from fastgrad.ops.activation import relu as relu
from fastgrad.ops.activation import relu6 as relu6
from fastgrad.ops.activation import selu as selu
from fastgrad.ops.activation import silu as silu
from fastgrad.ops.activation import softmax as softmax
from fastgrad.ops.activation import swish as swish

# ---- ops/blocks.py
from fastgrad.ops.blocks import depth_to_space as depth_to_space
from fastgrad.ops.blocks import space_to_batch as space_to_batch
from fastgrad.ops.blocks import space_to_depth as space_to_depth

# ---- ops/indexing.py
from fastgrad.ops.indexing import embedding_lookup as embedding_lookup

# ---- ops/loss.py
from fastgrad.ops.loss import l2_loss as l2_loss
from fastgrad.ops.loss import log_poisson_loss as log_poisson_loss
from fastgrad.ops.loss import sigmoid_cross_entropy_with_logits as sigmoid_cross_entropy_with_logits
from fastgrad.ops.loss import softmax_cross_entropy_with_logits as softmax_cross_entropy_with_logits
from fastgrad.ops.loss import sparse_softmax_cross_entropy_with_logits as sparse_softmax_cross_entropy_with_logits
from fastgrad.ops.loss import weighted_cross_entropy_with_logits as weighted_cross_entropy_with_logits

# ---- ops/normalization.py
from fastgrad.ops.normalization import batch_normalization as batch_normalization
from fastgrad.ops.normalization import local_response_normalization as local_response_normalization
from fastgrad.ops.normalization import local_response_normalization as lrn

# ---- ops/random_ops.py
from fastgrad.ops.random_ops import dropout as dropout
