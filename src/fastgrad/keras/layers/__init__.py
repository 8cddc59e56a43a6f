"""``keras.layers``."""

from fastgrad._src.core.names import namespace_hooks as _namespace_hooks
from fastgrad._src.keras.layers.activation import ELU as ELU
from fastgrad._src.keras.layers.activation import Activation as Activation
from fastgrad._src.keras.layers.activation import ActivityRegularization as ActivityRegularization
from fastgrad._src.keras.layers.activation import LeakyReLU as LeakyReLU
from fastgrad._src.keras.layers.activation import PReLU as PReLU
from fastgrad._src.keras.layers.activation import ReLU as ReLU
from fastgrad._src.keras.layers.activation import Softmax as Softmax
from fastgrad._src.keras.layers.attention import Attention as Attention
from fastgrad._src.keras.layers.batch_normalization import BatchNormalization as BatchNormalization
from fastgrad._src.keras.layers.borders import Cropping2D as Cropping2D
from fastgrad._src.keras.layers.borders import ZeroPadding2D as ZeroPadding2D
from fastgrad._src.keras.layers.category_encoding import CategoryEncoding as CategoryEncoding
from fastgrad._src.keras.layers.convolution.conv import Conv1D as Conv1D
from fastgrad._src.keras.layers.convolution.conv import Conv2D as Conv2D
from fastgrad._src.keras.layers.convolution.conv import Conv3D as Conv3D
from fastgrad._src.keras.layers.convolution.depthwise import DepthwiseConv1D as DepthwiseConv1D
from fastgrad._src.keras.layers.convolution.depthwise import DepthwiseConv2D as DepthwiseConv2D
from fastgrad._src.keras.layers.convolution.depthwise import SeparableConv1D as SeparableConv1D
from fastgrad._src.keras.layers.convolution.depthwise import SeparableConv2D as SeparableConv2D
from fastgrad._src.keras.layers.convolution.transposed import Conv1DTranspose as Conv1DTranspose
from fastgrad._src.keras.layers.convolution.transposed import Conv2DTranspose as Conv2DTranspose
from fastgrad._src.keras.layers.dense import Dense as Dense
from fastgrad._src.keras.layers.discretization import Discretization as Discretization
from fastgrad._src.keras.layers.dropout import Dropout as Dropout
from fastgrad._src.keras.layers.dropout import SpatialDropout1D as SpatialDropout1D
from fastgrad._src.keras.layers.dropout import SpatialDropout2D as SpatialDropout2D
from fastgrad._src.keras.layers.einsum_dense import EinsumDense as EinsumDense
from fastgrad._src.keras.layers.embedding import Embedding as Embedding
from fastgrad._src.keras.layers.group_normalization import GroupNormalization as GroupNormalization
from fastgrad._src.keras.layers.hashing import HashedCrossing as HashedCrossing
from fastgrad._src.keras.layers.hashing import Hashing as Hashing
from fastgrad._src.keras.layers.image_preprocessing import CenterCrop as CenterCrop
from fastgrad._src.keras.layers.image_preprocessing import RandomContrast as RandomContrast
from fastgrad._src.keras.layers.image_preprocessing import RandomCrop as RandomCrop
from fastgrad._src.keras.layers.image_preprocessing import RandomFlip as RandomFlip
from fastgrad._src.keras.layers.image_preprocessing import Resizing as Resizing
from fastgrad._src.keras.layers.image_transformation import RandomRotation as RandomRotation
from fastgrad._src.keras.layers.image_transformation import RandomTranslation as RandomTranslation
from fastgrad._src.keras.layers.image_transformation import RandomZoom as RandomZoom
from fastgrad._src.keras.layers.index_lookup import IntegerLookup as IntegerLookup
from fastgrad._src.keras.layers.index_lookup import StringLookup as StringLookup
from fastgrad._src.keras.layers.input_layer import Input as Input
from fastgrad._src.keras.layers.input_layer import InputLayer as InputLayer
from fastgrad._src.keras.layers.input_spec import InputSpec as InputSpec
from fastgrad._src.keras.layers.lambda_layer import Lambda as Lambda
from fastgrad._src.keras.layers.layer import Layer as Layer
from fastgrad._src.keras.layers.layer_normalization import LayerNormalization as LayerNormalization
from fastgrad._src.keras.layers.masking import Masking as Masking
from fastgrad._src.keras.layers.merging import Add as Add
from fastgrad._src.keras.layers.merging import Average as Average
from fastgrad._src.keras.layers.merging import Concatenate as Concatenate
from fastgrad._src.keras.layers.merging import Dot as Dot
from fastgrad._src.keras.layers.merging import Maximum as Maximum
from fastgrad._src.keras.layers.merging import Minimum as Minimum
from fastgrad._src.keras.layers.merging import Multiply as Multiply
from fastgrad._src.keras.layers.merging import Subtract as Subtract
from fastgrad._src.keras.layers.merging import add as add
from fastgrad._src.keras.layers.merging import average as average
from fastgrad._src.keras.layers.merging import concatenate as concatenate
from fastgrad._src.keras.layers.merging import dot as dot
from fastgrad._src.keras.layers.merging import maximum as maximum
from fastgrad._src.keras.layers.merging import minimum as minimum
from fastgrad._src.keras.layers.merging import multiply as multiply
from fastgrad._src.keras.layers.merging import subtract as subtract
from fastgrad._src.keras.layers.multi_head_attention import MultiHeadAttention as MultiHeadAttention
from fastgrad._src.keras.layers.noise import AlphaDropout as AlphaDropout
from fastgrad._src.keras.layers.noise import GaussianNoise as GaussianNoise
from fastgrad._src.keras.layers.pooling import AveragePooling1D as AveragePooling1D
from fastgrad._src.keras.layers.pooling import AveragePooling2D as AveragePooling2D
from fastgrad._src.keras.layers.pooling import AveragePooling3D as AveragePooling3D
from fastgrad._src.keras.layers.pooling import GlobalAveragePooling1D as GlobalAveragePooling1D
from fastgrad._src.keras.layers.pooling import GlobalAveragePooling2D as GlobalAveragePooling2D
from fastgrad._src.keras.layers.pooling import GlobalAveragePooling3D as GlobalAveragePooling3D
from fastgrad._src.keras.layers.pooling import GlobalMaxPooling1D as GlobalMaxPooling1D
from fastgrad._src.keras.layers.pooling import GlobalMaxPooling2D as GlobalMaxPooling2D
from fastgrad._src.keras.layers.pooling import GlobalMaxPooling3D as GlobalMaxPooling3D
from fastgrad._src.keras.layers.pooling import MaxPooling1D as MaxPooling1D
from fastgrad._src.keras.layers.pooling import MaxPooling2D as MaxPooling2D
from fastgrad._src.keras.layers.pooling import MaxPooling3D as MaxPooling3D
from fastgrad._src.keras.layers.preprocessing import Normalization as Normalization
from fastgrad._src.keras.layers.preprocessing import Rescaling as Rescaling
from fastgrad._src.keras.layers.recurrent.bidirectional import Bidirectional as Bidirectional
from fastgrad._src.keras.layers.recurrent.conv_lstm import ConvLSTM2D as ConvLSTM2D
from fastgrad._src.keras.layers.recurrent.gru import GRU as GRU
from fastgrad._src.keras.layers.recurrent.gru import GRUCell as GRUCell
from fastgrad._src.keras.layers.recurrent.lstm import LSTM as LSTM
from fastgrad._src.keras.layers.recurrent.lstm import LSTMCell as LSTMCell
from fastgrad._src.keras.layers.recurrent.rnn import RNN as RNN
from fastgrad._src.keras.layers.recurrent.simple_rnn import SimpleRNN as SimpleRNN
from fastgrad._src.keras.layers.recurrent.simple_rnn import SimpleRNNCell as SimpleRNNCell
from fastgrad._src.keras.layers.recurrent.stacked_cells import StackedRNNCells as StackedRNNCells
from fastgrad._src.keras.layers.reshaping import Flatten as Flatten
from fastgrad._src.keras.layers.reshaping import Identity as Identity
from fastgrad._src.keras.layers.reshaping import Permute as Permute
from fastgrad._src.keras.layers.reshaping import RepeatVector as RepeatVector
from fastgrad._src.keras.layers.reshaping import Reshape as Reshape
from fastgrad._src.keras.layers.rms_normalization import RMSNormalization as RMSNormalization
from fastgrad._src.keras.layers.serialization import deserialize as deserialize
from fastgrad._src.keras.layers.serialization import serialize as serialize
from fastgrad._src.keras.layers.symbolic import KerasTensor as KerasTensor
from fastgrad._src.keras.layers.text_vectorization import TextVectorization as TextVectorization
from fastgrad._src.keras.layers.tfsm_layer import TFSMLayer as TFSMLayer
from fastgrad._src.keras.layers.time_distributed import TimeDistributed as TimeDistributed
from fastgrad._src.keras.layers.unit_normalization import UnitNormalization as UnitNormalization
from fastgrad._src.keras.layers.upsampling import UpSampling2D as UpSampling2D
from fastgrad._src.keras.layers.wrapper import Wrapper as Wrapper

# Keras's other names.
AvgPool1D = AveragePooling1D
AvgPool2D = AveragePooling2D
AvgPool3D = AveragePooling3D
Convolution1D = Conv1D
Convolution1DTranspose = Conv1DTranspose
Convolution2D = Conv2D
Convolution2DTranspose = Conv2DTranspose
Convolution3D = Conv3D
GlobalAvgPool1D = GlobalAveragePooling1D
GlobalAvgPool2D = GlobalAveragePooling2D
GlobalAvgPool3D = GlobalAveragePooling3D
GlobalMaxPool1D = GlobalMaxPooling1D
GlobalMaxPool2D = GlobalMaxPooling2D
GlobalMaxPool3D = GlobalMaxPooling3D
MaxPool1D = MaxPooling1D
MaxPool2D = MaxPooling2D
MaxPool3D = MaxPooling3D
SeparableConvolution1D = SeparableConv1D
SeparableConvolution2D = SeparableConv2D

__getattr__, __dir__ = _namespace_hooks("tf.keras.layers", globals())
