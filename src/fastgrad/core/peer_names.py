"""The public names of TensorFlow and Keras, and what is nearest to those that fastgrad lacks.

``tools/names_table.py`` writes the names, with the format of the file, from TensorFlow and Keras; ``docs/names.md`` lists some.
"""

from __future__ import annotations

import functools
import gzip
import sys
from collections.abc import Callable, Iterable
from fnmatch import fnmatchcase
from pathlib import Path

_INSTEAD_OF_COMPILER = "tf.function; Python's own if, for and while work on tensors"
_INSTEAD_OF_SAMPLER = "tf.random.uniform(..., dtype=tf.int64) or tf.random.categorical"
_INSTEAD_OF_OPERATOR = "the matrix itself, with tf.matmul, tf.linalg.solve, tf.linalg.diag ..."
_INSTEAD_OF_SPARSE = "tf.IndexedSlices, or a dense tensor with tf.boolean_mask and tf.scatter_nd"
_INSTEAD_OF_NUMPY = "tf.numpy_function or .numpy()"
_INSTEAD_OF_SPECTRAL = "tf.numpy_function with numpy.fft"
_INSTEAD_OF_GRAPH = "nothing: there are no graphs; operations run at once, and tf.function compiles a step"
_INSTEAD_OF_SESSION = "a call of the function itself: operations run at once"
_INSTEAD_OF_PLACEHOLDER = "an argument of the function; tf.keras.Input for models"
_INSTEAD_OF_FILES = "Python's open and pathlib, tf.train.Checkpoint, tf.keras.models.save_model"
_INSTEAD_OF_DISTRIBUTED = "tf.distribute.MultiWorkerMirroredStrategy"
_INSTEAD_OF_AUGMENTATION = "Dataset.map with NumPy; Rescaling, Cropping2D, ZeroPadding2D, UpSampling2D"
_INSTEAD_OF_LOOP = "tf.keras.layers.RNN, or a Python loop over time"
_INSTEAD_OF_VARIABLES = "tf.Variable; a model's trainable_variables"
_INSTEAD_OF_INTEGERS = "tf.int8, tf.uint8, tf.int32"
_INSTEAD_OF_INITIALIZED = "nothing: variables have their values from the start"

NEAREST: dict[str, str] = {
    "tf.*Queue": "queue.Queue, tf.data.Dataset",
    "tf.*Session": _INSTEAD_OF_SESSION,
    "tf.*_candidate_sampler": _INSTEAD_OF_SAMPLER,
    "tf.*_eager_execution": "nothing: execution is always eager",
    "tf.*_initializer": "tf.keras.initializers",
    "tf.*_v2_*": "nothing: behaviour is TensorFlow 2's",
    "tf.*_variables": _INSTEAD_OF_VARIABLES,
    "tf.*graph*": _INSTEAD_OF_GRAPH,
    "tf.*session": _INSTEAD_OF_SESSION,
    "tf.ConfigProto": "tf.config",
    "tf.CriticalSection": "threading.Lock",
    "tf.DeviceSpec": "tf.device('/CPU:0')",
    "tf.GPUOptions": "tf.config",
    "tf.Graph*": _INSTEAD_OF_GRAPH,
    "tf.IndexedSlicesSpec": "tf.TensorSpec",
    "tf.NoneTensorSpec": "None",
    "tf.Operation": _INSTEAD_OF_GRAPH,
    "tf.OptionalSpec": "tf.TensorSpec",
    "tf.Print": "tf.print",
    "tf.RegisterGradient": "tf.custom_gradient",
    "tf.SparseTensor": _INSTEAD_OF_SPARSE,
    "tf.SparseTensorSpec": "tf.TensorSpec",
    "tf.TensorArraySpec": "tf.TensorArray",
    "tf.TypeSpec": "tf.TensorSpec",
    "tf.app": "argparse, and a call of main()",
    "tf.approx_top_k": "tf.math.top_k",
    "tf.arg_max": "tf.argmax",
    "tf.arg_min": "tf.argmin",
    "tf.as_string": "Python's str and format of a tensor",
    "tf.assign": "variable.assign(value)",
    "tf.assign_add": "variable.assign_add(value)",
    "tf.assign_sub": "variable.assign_sub(value)",
    "tf.audio": "scipy.io.wavfile",
    "tf.autograph": _INSTEAD_OF_COMPILER,
    "tf.check_pinned": "nothing: memory is not pinned",
    "tf.compat": "the names without compat.v1, and fastgrad.contrib.eager",
    **dict.fromkeys(
        [
            f"tf.contrib.{name}"
            for name in ("cudnn_rnn", "layers", "learn", "losses", "metrics", "rnn", "slim", "training")
        ],
        "tf.keras, tf.data",
    ),
    "tf.conv": "tf.nn.convolution",
    "tf.conv2d_backprop_filter_v2": "tf.GradientTape over tf.nn.conv2d",
    "tf.conv2d_backprop_input_v2": "tf.nn.conv2d_transpose",
    "tf.diag": "tf.linalg.diag",
    "tf.distribute.*Preemption*": "tf.keras.callbacks.BackupAndRestore",
    "tf.distribute.*TerminationConfig": "tf.keras.callbacks.BackupAndRestore",
    "tf.distribute.CrossDeviceOps": "tf.distribute.NcclAllReduce",
    "tf.distribute.Server": "mpiexec, which starts all processes",
    "tf.distribute.cluster_resolver.*": "tf.distribute.cluster_resolver.TFConfigClusterResolver",
    "tf.distribute.experimental.rpc": "mpi4py",
    "tf.distribute.*": _INSTEAD_OF_DISTRIBUTED,
    "tf.div": "tf.divide, or the operator / or //",
    "tf.dtensor": _INSTEAD_OF_DISTRIBUTED,
    "tf.edit_distance": _INSTEAD_OF_NUMPY,
    "tf.estimator": "tf.keras.Model",
    "tf.experimental": "the names without experimental",
    "tf.extract_volume_patches": "tf.strided_slice",
    "tf.feature_column": "tf.data.Dataset.map and tf.one_hot",
    "tf.fft*": _INSTEAD_OF_SPECTRAL,
    "tf.fingerprint": "hashlib",
    "tf.flags": "argparse",
    "tf.get_variable": "tf.Variable, or Layer.add_weight",
    "tf.gfile*": _INSTEAD_OF_FILES,
    "tf.global_variables_initializer": _INSTEAD_OF_INITIALIZED,
    "tf.gradients": "tf.GradientTape().gradient",
    "tf.guarantee_const": "tf.identity",
    "tf.hessians": "tf.GradientTape().jacobian of a gradient",
    "tf.ifft*": _INSTEAD_OF_SPECTRAL,
    "tf.image": "tf.numpy_function with an image library; tf.keras.utils.load_img, tf.keras.layers.Rescaling, UpSampling2D, Cropping2D",
    "tf.initialize*": _INSTEAD_OF_INITIALIZED,
    "tf.io": _INSTEAD_OF_FILES,
    "tf.irfft*": _INSTEAD_OF_SPECTRAL,
    "tf.keras.FloatDTypePolicy": "tf.keras.DTypePolicy",
    "tf.keras.Function": "tf.keras.Model",
    "tf.keras.Operation": "tf.keras.layers.Layer",
    "tf.keras.applications*": "a model of your own from tf.keras.layers, with weights by model.load_weights",
    **dict.fromkeys(["tf.keras.backend.get_session", "tf.keras.backend.set_session"], _INSTEAD_OF_SESSION),
    "tf.keras.backend.*": "tf, tf.math, tf.nn",
    "tf.keras.callbacks.OrbaxCheckpoint": "ModelCheckpoint, BackupAndRestore",
    "tf.keras.callbacks.RemoteMonitor": "LambdaCallback with urllib.request",
    "tf.keras.device": "tf.device",
    "tf.keras.distribution": _INSTEAD_OF_DISTRIBUTED,
    "tf.keras.dtype_policies": "tf.keras.mixed_precision, tf.keras.DTypePolicy",
    "tf.keras.estimator": "the model itself: model.fit",
    "tf.keras.export": "tf.keras.models.save_model",
    "tf.keras.experimental": "the names without experimental",
    "tf.keras.layers.*Adaptive*Pool*": "AveragePooling2D, MaxPooling2D, GlobalAveragePooling2D",
    "tf.keras.layers.*Lookup": "Dataset.map with Python, then CategoryEncoding or Embedding",
    "tf.keras.layers.*Spectrogram": "Dataset.map with scipy.signal.stft",
    "tf.keras.layers.ConvLSTM*": "RNN with a cell of your own, or TimeDistributed(Conv2D)",
    **dict.fromkeys(
        [
            f"tf.keras.layers.{name}"
            for name in (
                *("AugMix", "AutoContrast", "CenterCrop", "ContrastLimitedAdaptiveHistogramEqualization", "CutMix"),
                *("Equalization", "MaxNumBoundingBoxes", "MixUp", "Rand*", "Resizing", "Solarization"),
            )
        ],
        _INSTEAD_OF_AUGMENTATION,
    ),
    "tf.keras.layers.CuDNNGRU": "tf.keras.layers.GRU",
    "tf.keras.layers.CuDNNLSTM": "tf.keras.layers.LSTM",
    "tf.keras.layers.DenseFeatures": "Dataset.map, then Concatenate",
    **dict.fromkeys(
        ["tf.keras.layers.Discretization", "tf.keras.layers.Hash*", "tf.keras.layers.FeatureSpace"],
        "CategoryEncoding, Embedding",
    ),
    "tf.keras.layers.Pipeline": "tf.keras.Sequential",
    "tf.keras.layers.ReversibleEmbedding": "Embedding",
    "tf.keras.layers.SpectralNormalization": "UnitNormalization, or a constraint",
    "tf.keras.layers.TextVectorization": "Dataset.map with Python, then Embedding",
    "tf.keras.layers.ThresholdedReLU": "ReLU(threshold=...)",
    "tf.keras.layers.[TJF]*[rM]*": "a layer of your own, or Lambda",
    "tf.keras.layers.experimental": "tf.keras.layers",
    **dict.fromkeys(
        [
            f"tf.keras.layers.{name}"
            for name in ("advanced_activations", "convolutional", "core", "embeddings", "merge", "normalization")
        ],
        "tf.keras.layers",
    ),
    "tf.keras.ops*": "tf, tf.math, tf.nn, tf.linalg",
    "tf.keras.losses.mean_absolute_error": "tf.keras.losses.mae",
    "tf.keras.losses.mean_absolute_percentage_error": "tf.keras.losses.mape",
    "tf.keras.losses.mean_squared_error": "tf.keras.losses.mse",
    "tf.keras.losses.mean_squared_logarithmic_error": "tf.keras.losses.msle",
    "tf.*optimizers.legacy": "tf.keras.optimizers",
    "tf.keras.preprocessing.image.*": "tf.keras.utils.image_dataset_from_directory, Dataset.map with NumPy",
    "tf.keras.preprocessing.text*": "Python's str.split and dict, then tf.keras.utils.pad_sequences",
    "tf.keras.random": "tf.random",
    "tf.keras.remat": "tf.recompute_grad",
    "tf.keras.tree": "tf.nest",
    "tf.keras.utils.np_utils": "tf.keras.utils",
    "tf.keras.version": "tf.version",
    "tf.keras.wrappers*": "a class of your own around model.fit and model.predict, with scikit-learn's BaseEstimator",
    "tf.layers*": "tf.keras.layers",
    "tf.lin_space": "tf.linspace",
    "tf.linalg.LinearOperator*": _INSTEAD_OF_OPERATOR,
    "tf.linalg.banded_triangular_solve": "tf.linalg.triangular_solve",
    "tf.linalg.eigh_tridiagonal": "tf.linalg.eigh",
    "tf.linalg.experimental": "tf.linalg.solve, tf.linalg.cholesky_solve",
    "tf.linalg.tridiagonal_matmul": "tf.matmul",
    "tf.linalg.tridiagonal_solve": "tf.linalg.solve",
    "tf.lite": "nothing: models are not exported",
    "tf.load_*library": "tf.numpy_function or ctypes",
    "tf.local_variables_initializer": _INSTEAD_OF_INITIALIZED,
    "tf.logging": "Python's logging, tf.get_logger",
    "tf.lookup": "a Python dict",
    "tf.make_ndarray": "tensor.numpy()",
    "tf.make_template": "tf.Module",
    "tf.make_tensor_proto": "tf.constant",
    "tf.math.approx_max_k": "tf.math.top_k",
    "tf.math.approx_min_k": "tf.math.top_k of the negative",
    "tf.math.sobol_sample": "scipy.stats.qmc.Sobol",
    "tf.mlir": _INSTEAD_OF_GRAPH,
    "tf.mixed_precision": "tf.keras.mixed_precision",
    "tf.nn.*dynamic_rnn": _INSTEAD_OF_LOOP,
    "tf.nn.*embedding_lookup_sparse": "tf.nn.embedding_lookup and tf.math.segment_sum",
    "tf.nn.*_rnn": _INSTEAD_OF_LOOP,
    "tf.nn.RNNCellDeviceWrapper": "a Python loop over time",
    "tf.nn.RNNCellDropoutWrapper": "tf.nn.dropout inside a loop over time",
    "tf.nn.RNNCellResidualWrapper": "an addition inside a loop over time",
    "tf.nn.approx_max_k": "tf.nn.top_k",
    "tf.nn.approx_min_k": "tf.nn.top_k of the negative",
    "tf.nn.collapse_repeated": _INSTEAD_OF_NUMPY,
    "tf.nn.compute_accidental_hits": "tf.equal of labels and samples",
    "tf.nn.ctc_beam_search_decoder*": _INSTEAD_OF_NUMPY,
    "tf.nn.ctc_greedy_decoder": "tf.argmax and a Python loop",
    "tf.nn.ctc_loss*": "a loss of your own with tf.GradientTape",
    "tf.nn.ctc_unique_labels": "tf.unique",
    "tf.nn.dilation2d": "tf.nn.max_pool2d",
    "tf.nn.erosion2d": "the negative of tf.nn.max_pool2d of the negative",
    "tf.nn.fractional_avg_pool": "tf.nn.avg_pool2d",
    "tf.nn.fractional_max_pool": "tf.nn.max_pool2d",
    "tf.nn.isotonic_regression": "sklearn.isotonic",
    "tf.nn.nce_loss": "tf.nn.sigmoid_cross_entropy_with_logits on sampled classes",
    "tf.nn.rnn_cell*": "tf.keras.layers.LSTMCell, GRUCell, SimpleRNNCell, StackedRNNCells",
    "tf.nn.sampled_softmax_loss": "tf.nn.softmax_cross_entropy_with_logits on sampled classes",
    "tf.nn.softmax_cross_entropy_with_logits_v2": "tf.nn.softmax_cross_entropy_with_logits",
    "tf.nn.static_*": _INSTEAD_OF_LOOP,
    "tf.nn.with_space_to_batch": "tf.nn.convolution(..., dilations=)",
    "tf.no_gradient": "tf.stop_gradient",
    "tf.nondifferentiable_batch_function": "tf.data.Dataset.batch",
    "tf.parallel_stack": "tf.stack",
    "tf.placeholder*": _INSTEAD_OF_PLACEHOLDER,
    "tf.profiler": "Python's cProfile",
    "tf.py_func": "tf.numpy_function, tf.py_function",
    "tf.python_io": "tf.data.TextLineDataset, Python's open",
    "tf.python": "the public names: fastgrad.keras for fastgrad.python.keras",
    "tf.q*int*": _INSTEAD_OF_INTEGERS,
    "tf.dtypes.q*": _INSTEAD_OF_INTEGERS,
    "tf.quantiz*": _INSTEAD_OF_INTEGERS,
    "tf.queue": "queue.Queue, tf.data.Dataset",
    "tf.ragged_fill_empty_rows*": "tf.RaggedTensor",
    "tf.random.*candidate_sampler": _INSTEAD_OF_SAMPLER,
    "tf.random.experimental.index_shuffle": "tf.random.experimental.stateless_shuffle of tf.range(n)",
    "tf.random.set_random_seed": "tf.random.set_seed",
    "tf.random.stateless_parameterized_truncated_normal": "tf.random.stateless_truncated_normal",
    "tf.random_index_shuffle": "tf.random.shuffle(tf.range(n))",
    "tf.raw_ops": "the public functions: fastgrad.core.operation.TABLE is ours",
    "tf.read_file": "pathlib.Path.read_bytes",
    "tf.register_tensor_conversion_function": "a method __array__ on the class",
    "tf.required_space_to_batch_paddings": "tf.nn.convolution(..., dilations=)",
    "tf.resource*": "tf.Variable",
    "tf.rfft*": _INSTEAD_OF_SPECTRAL,
    "tf.saved_model*": "tf.keras.models.save_model",
    "tf.scatter_*": "variable.scatter_nd_update and similar methods, tf.tensor_scatter_nd_update",
    "tf.security": "nothing",
    "tf.set_random_seed": "tf.random.set_seed",
    "tf.sets": "Python sets, tf.unique",
    "tf.signal": _INSTEAD_OF_SPECTRAL,
    "tf.sparse*": _INSTEAD_OF_SPARSE,
    "tf.string*": "Python's strings",
    "tf.sysconfig": "tf.config",
    "tf.tables_initializer": _INSTEAD_OF_INITIALIZED,
    "tf.test": "pytest, numpy.testing",
    "tf.timestamp": "time.time()",
    "tf.to_*": "tf.cast(x, dtype)",
    "tf.tools": _INSTEAD_OF_GRAPH,
    "tf.tpu": _INSTEAD_OF_DISTRIBUTED,
    "tf.train.*Coordinator": "threading",
    "tf.train.*Session*": _INSTEAD_OF_SESSION,
    "tf.train.*Queue*": "tf.data.Dataset",
    "tf.train.*_decay": "tf.keras.optimizers.schedules",
    "tf.train.*Example*": "tf.data.Dataset.from_tensor_slices",
    "tf.train.*Optimizer": "tf.keras.optimizers",
    "tf.train.Saver": "tf.train.Checkpoint, tf.train.CheckpointManager",
    "tf.trainable_variables": "tape.watched_variables(); a model's trainable_variables",
    "tf.type_spec_from_value": "tf.TensorSpec.from_tensor",
    "tf.types": "tf.Tensor",
    "tf.variable_*scope": "tf.name_scope; one layer or tf.Module called several times shares its variables",
    "tf.variable_creator_scope": "subclassing tf.Variable",
    "tf.variables_initializer": _INSTEAD_OF_INITIALIZED,
    "tf.variant": "Python objects",
    "tf.xla": _INSTEAD_OF_COMPILER,
    ".eval": ".numpy()",
    ".compute_gradients": "tf.GradientTape().gradient",
    ".minimize": "tf.GradientTape().gradient, then apply_gradients; or model.fit",
    ".experimental_ref": ".ref()",
    ".get_slot*": ".variables",
    ".add_metric": "a metric of the layer, updated in call",
    ".export": "tf.keras.models.save_model",
    ".graph": _INSTEAD_OF_GRAPH,
    ".initial_value": ".numpy(); variables have their values from the start",
    ".initialized_value": ".read_value()",
    ".load": ".assign(value)",
    ".make_*iterator": "iter(dataset)",
    ".op": _INSTEAD_OF_GRAPH,
    ".quantize*": "tf.keras.mixed_precision",
    ".sparse_read": "tf.gather(variable, indices)",
    ".stateless_*": "a call with the object's own state; tf.function compiles it",
    ".to_proto": "tf.train.Checkpoint",
    ".to_sparse": _INSTEAD_OF_SPARSE,
    "Model.evaluate_generator": "model.evaluate",
    "Model.fit_generator": "model.fit",
    "Model.predict_classes": "model.predict(x).argmax(-1), or > 0.5 for one output",
    "Model.predict_generator": "model.predict",
    "Model.predict_proba": "model.predict",
}
"""The nearest alternative, by full name; ``*`` stands for any text.

A name with a dot in front is a member of any class; with a class, of this class in TensorFlow 1.
"""


@functools.cache
def peers() -> tuple[dict[str, frozenset[str]], dict[str, dict[str, str]], dict[str, frozenset[str]]]:
    """Returns the names of TensorFlow 2 and Keras 3 by namespace, those of TensorFlow 1 with their later names, and members by class."""
    current: dict[str, frozenset[str]] = {}
    former: dict[str, dict[str, str]] = {}
    members: dict[str, frozenset[str]] = {}
    for line in gzip.decompress(Path(__file__).with_name("peer_names.txt.gz").read_bytes()).decode().splitlines():
        first, *names = line.split(" ")
        if first == "1":
            former[names[0]] = {name: later for name, _, later in (word.partition("=") for word in names[1:])}
        elif first.startswith("."):
            members[first[1:]] = frozenset(names)
        else:
            current[first] = frozenset(names)
    return current, former, members


def nearest(full_name: str, later_name: str = "") -> str:
    """Returns the nearest alternative to ``tf.nn.ctc_loss`` or ``.eval``; an empty text without one.

    Args:
        full_name: the missing name.
        later_name: its name in TensorFlow 2, for a name of TensorFlow 1.
    """
    if full_name in NEAREST:
        return NEAREST[full_name]
    if later_name:
        return later_name if _exists(later_name) else nearest(later_name) or nearest(later_name.rpartition(".")[0])
    return next((hint for pattern, hint in NEAREST.items() if "*" in pattern and fnmatchcase(full_name, pattern)), "")


def _exists(full_name: str) -> bool:
    try:
        functools.reduce(getattr, full_name.split(".")[1:], sys.modules["fastgrad"])
    except AttributeError:
        return False
    return True


def answer(owner: str | type, name: str, known: Iterable[str], suggestions: Callable[[str, Iterable[str]], str]) -> str:
    """Returns the text of the error for a missing name: which peer has it and what is nearest, or else similar names.

    Args:
        owner: a namespace such as ``"tf.nn"``, or the class of an object.
        name: the missing name.
        known: the existing names.
        suggestions: returns the text about those of ``known`` that are similar to ``name``.
    """
    current, former, members = peers()
    if isinstance(owner, type):
        subject = f"'{owner.__name__}' object has no attribute '{name}'"
        peer = "TensorFlow" if any(name in members.get(base.__name__, ()) for base in owner.__mro__) else ""
        near = next((NEAREST[key] for base in owner.__mro__ if (key := f"{base.__name__}.{name}") in NEAREST), "")
        peer = peer or ("TensorFlow 1" if near else "")
        near = near or nearest("." + name)
    else:
        subject, module = f"{owner}.{name}", "fastgrad" + owner.removeprefix("tf")
        later_name = former.get(owner, {}).get(name)
        peer = "TensorFlow" if name in current.get(owner, ()) else ""
        peer = peer or ("TensorFlow 1" if later_name is not None or subject in NEAREST else "")
        near = nearest(subject, later_name or "")
        if not peer:
            subject = f"module '{module}' has no attribute '{name}'"
            known = [x for x in known if x in current.get(owner, ()) or f"{module}.{x}" not in sys.modules]
    if peer:
        return f"{subject}: {peer} has it, fastgrad does not." + (f" Nearest: {near}." if near else "")
    return f"{subject}.{suggestions(name, known)}"
