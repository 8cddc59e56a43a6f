"""``keras.layers``."""

from typing import Any as _Any

from fastgrad.keras.layers.activation import ELU as ELU
from fastgrad.keras.layers.activation import Activation as Activation
from fastgrad.keras.layers.activation import LeakyReLU as LeakyReLU
from fastgrad.keras.layers.activation import ReLU as ReLU
from fastgrad.keras.layers.activation import Softmax as Softmax
from fastgrad.keras.layers.dense import Dense as Dense
from fastgrad.keras.layers.dropout import Dropout as Dropout
from fastgrad.keras.layers.embedding import Embedding as Embedding
from fastgrad.keras.layers.grouped_query_attention import GroupedQueryAttention as GroupedQueryAttention
from fastgrad.keras.layers.input_layer import Input as Input
from fastgrad.keras.layers.input_layer import InputLayer as InputLayer
from fastgrad.keras.layers.input_layer import KerasTensor as KerasTensor
from fastgrad.keras.layers.input_spec import InputSpec as InputSpec
from fastgrad.keras.layers.layer import Layer as Layer
from fastgrad.keras.layers.layer_normalization import LayerNormalization as LayerNormalization
from fastgrad.keras.layers.masking import Masking as Masking
from fastgrad.keras.layers.multi_head_attention import MultiHeadAttention as MultiHeadAttention
from fastgrad.keras.layers.recurrent.bidirectional import Bidirectional as Bidirectional
from fastgrad.keras.layers.recurrent.gru import GRU as GRU
from fastgrad.keras.layers.recurrent.gru import GRUCell as GRUCell
from fastgrad.keras.layers.recurrent.lstm import LSTM as LSTM
from fastgrad.keras.layers.recurrent.lstm import LSTMCell as LSTMCell
from fastgrad.keras.layers.recurrent.rnn import RNN as RNN
from fastgrad.keras.layers.recurrent.simple_rnn import SimpleRNN as SimpleRNN
from fastgrad.keras.layers.recurrent.simple_rnn import SimpleRNNCell as SimpleRNNCell
from fastgrad.keras.layers.recurrent.stacked_cells import StackedRNNCells as StackedRNNCells
from fastgrad.keras.layers.reshaping import Flatten as Flatten
from fastgrad.keras.layers.reshaping import Identity as Identity
from fastgrad.keras.layers.reshaping import Permute as Permute
from fastgrad.keras.layers.reshaping import RepeatVector as RepeatVector
from fastgrad.keras.layers.reshaping import Reshape as Reshape
from fastgrad.keras.layers.time_distributed import TimeDistributed as TimeDistributed
from fastgrad.keras.saving.objects import deserialize_keras_object as _deserialize
from fastgrad.keras.saving.objects import serialize_keras_object as _serialize

GroupQueryAttention = GroupedQueryAttention


def serialize(layer: Layer) -> dict[str, _Any]:
    """The layer's configuration, as plain values."""
    return _serialize(layer)


def deserialize(config: _Any, custom_objects: dict[str, _Any] | None = None) -> _Any:
    """A new layer of a configuration; ValueError if it is that of something else."""
    layer = _deserialize(config, custom_objects, module_objects=globals())
    if not isinstance(layer, Layer):
        raise ValueError(
            f"`keras.layers.deserialize` was passed a `config` object that is not a `keras.layers.Layer`: {config}"
        )
    return layer
