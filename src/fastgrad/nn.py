"""Neural-network operations (``tf.nn``)."""

from fastgrad._src.core.names import namespace_hooks as _namespace_hooks
from fastgrad._src.ops import nn_experimental as _nn_experimental
from fastgrad._src.ops.activation import elu as elu
from fastgrad._src.ops.activation import gelu as gelu
from fastgrad._src.ops.activation import leaky_relu as leaky_relu
from fastgrad._src.ops.activation import relu as relu
from fastgrad._src.ops.activation import relu6 as relu6
from fastgrad._src.ops.activation import selu as selu
from fastgrad._src.ops.activation import silu as silu
from fastgrad._src.ops.activation import swish as swish
from fastgrad._src.ops.blocks import depth_to_space as depth_to_space
from fastgrad._src.ops.blocks import space_to_batch as space_to_batch
from fastgrad._src.ops.blocks import space_to_depth as space_to_depth
from fastgrad._src.ops.convolution import atrous_conv2d as atrous_conv2d
from fastgrad._src.ops.convolution import conv1d as conv1d
from fastgrad._src.ops.convolution import conv2d as conv2d
from fastgrad._src.ops.convolution import conv3d as conv3d
from fastgrad._src.ops.convolution import convolution as convolution
from fastgrad._src.ops.convolution import depthwise_conv2d as depthwise_conv2d
from fastgrad._src.ops.convolution import separable_conv2d as separable_conv2d
from fastgrad._src.ops.dense import bias_add as bias_add
from fastgrad._src.ops.exponential import sigmoid as sigmoid
from fastgrad._src.ops.exponential import softplus as softplus
from fastgrad._src.ops.exponential import softsign as softsign
from fastgrad._src.ops.exponential import tanh as tanh
from fastgrad._src.ops.indexing import embedding_lookup as embedding_lookup
from fastgrad._src.ops.inspection import zero_fraction as zero_fraction
from fastgrad._src.ops.loss import compute_average_loss as compute_average_loss
from fastgrad._src.ops.loss import l2_loss as l2_loss
from fastgrad._src.ops.loss import log_poisson_loss as log_poisson_loss
from fastgrad._src.ops.loss import scale_regularization_loss as scale_regularization_loss
from fastgrad._src.ops.loss import sigmoid_cross_entropy_with_logits as sigmoid_cross_entropy_with_logits
from fastgrad._src.ops.loss import softmax_cross_entropy_with_logits as softmax_cross_entropy_with_logits
from fastgrad._src.ops.loss import (
    sparse_softmax_cross_entropy_with_logits as sparse_softmax_cross_entropy_with_logits,
)
from fastgrad._src.ops.loss import weighted_cross_entropy_with_logits as weighted_cross_entropy_with_logits
from fastgrad._src.ops.normalization import batch_normalization as batch_normalization
from fastgrad._src.ops.normalization import local_response_normalization as local_response_normalization
from fastgrad._src.ops.norms import l2_normalize as l2_normalize
from fastgrad._src.ops.pooling import avg_pool as avg_pool
from fastgrad._src.ops.pooling import avg_pool1d as avg_pool1d
from fastgrad._src.ops.pooling import avg_pool2d as avg_pool2d
from fastgrad._src.ops.pooling import avg_pool3d as avg_pool3d
from fastgrad._src.ops.pooling import max_pool as max_pool
from fastgrad._src.ops.pooling import max_pool1d as max_pool1d
from fastgrad._src.ops.pooling import max_pool2d as max_pool2d
from fastgrad._src.ops.pooling import max_pool3d as max_pool3d
from fastgrad._src.ops.pooling import max_pool_with_argmax as max_pool_with_argmax
from fastgrad._src.ops.pooling import pool as pool
from fastgrad._src.ops.random_ops import dropout as dropout
from fastgrad._src.ops.softmax import log_softmax as log_softmax
from fastgrad._src.ops.softmax import softmax as softmax
from fastgrad._src.ops.sorting import in_top_k as in_top_k
from fastgrad._src.ops.sorting import top_k as top_k
from fastgrad._src.ops.statistics import moments as moments
from fastgrad._src.ops.transposed_convolution import atrous_conv2d_transpose as atrous_conv2d_transpose
from fastgrad._src.ops.transposed_convolution import conv1d_transpose as conv1d_transpose
from fastgrad._src.ops.transposed_convolution import conv2d_transpose as conv2d_transpose
from fastgrad._src.ops.transposed_convolution import conv3d_transpose as conv3d_transpose
from fastgrad._src.ops.transposed_convolution import conv_transpose as conv_transpose

experimental = _nn_experimental
lrn = local_response_normalization

_MODULE_OF_LAZY_NAME = {
    "collapse_repeated": "structures.sparse.label_sequences",
    "ctc_beam_search_decoder": "structures.sparse.label_sequences",
    "ctc_greedy_decoder": "structures.sparse.label_sequences",
    "ctc_loss": "structures.sparse.label_sequences",
    "dilation2d": "ops.composed.morphology",
    "embedding_lookup_sparse": "structures.sparse.embedding",
    "nce_loss": "ops.composed.candidate_sampling",
    "safe_embedding_lookup_sparse": "structures.sparse.embedding",
}


__getattr__, __dir__ = _namespace_hooks("tf.nn", globals(), _MODULE_OF_LAZY_NAME)
