"""TensorFlow's public names that fastgrad lacks, each with the nearest alternative.

``docs/names.md`` lists all public names of ``tf``, ``tf.math``, ``tf.nn``, ``tf.linalg``, ``tf.random`` and ``tf.distribute``:
each exists, or raises an error made here.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable
from types import ModuleType
from typing import Any

_HINT_FOR_COMPILER = "not there yet; Python's own if, for and while work on tensors"
_HINT_FOR_SAMPLER = "tf.random.uniform(..., dtype=tf.int64) or tf.random.categorical"
_CANDIDATE_SAMPLER_HINTS = {
    f"{kind}_candidate_sampler": _HINT_FOR_SAMPLER for kind in ("all", "fixed_unigram", "learned_unigram")
}
_HINT_FOR_OPERATOR = "the matrix itself, with tf.matmul, tf.linalg.solve, tf.linalg.diag ..."
_HINT_FOR_SPARSE = "tf.IndexedSlices, or a dense tensor with tf.boolean_mask and tf.scatter_nd"
_HINT_FOR_RAGGED = "tf.RaggedTensor"
_HINT_FOR_NUMPY = "tf.numpy_function or .numpy()"
_HINT_FOR_QUANTISED = "tf.int8, tf.uint8, tf.int32"
_HINT_FOR_SPECTRAL = "tf.numpy_function with numpy.fft"
_MISSING_ADAPTIVE_POOLS = tuple(f"Adaptive{kind}Pooling{rank}D" for kind in ("Average", "Max") for rank in (1, 2, 3))
_MISSING_IMAGE_LAYERS = (
    *("AugMix", "AutoContrast", "CenterCrop", "ContrastLimitedAdaptiveHistogramEqualization", "CutMix"),
    *("Equalization", "MaxNumBoundingBoxes", "MixUp", "RandAugment", "RandomBrightness", "RandomColorDegeneration"),
    *("RandomColorJitter", "RandomContrast", "RandomCrop", "RandomElasticTransform", "RandomErasing", "RandomFlip"),
    *("RandomGaussianBlur", "RandomGrayscale", "RandomHeight", "RandomHue", "RandomInvert", "RandomPerspective"),
    *("RandomPosterization", "RandomRotation", "RandomSaturation", "RandomSharpness", "RandomShear"),
    *("RandomTranslation", "RandomWidth", "RandomZoom", "Resizing", "Solarization"),
)
_MISSING_LINEAR_OPERATOR_KINDS = (
    *("", "Adjoint", "BlockDiag", "BlockLowerTriangular", "Circulant", "Circulant2D", "Circulant3D", "Composition"),
    *("Diag", "FullMatrix", "Householder", "Identity", "Inversion", "Kronecker", "LowRankUpdate", "LowerTriangular"),
    *("Permutation", "ScaledIdentity", "Toeplitz", "Tridiag", "Zeros"),
)
_HINT_FOR_GRAPH = "nothing: there are no graphs to hold; operations run at once"
_HINT_FOR_FILES = "Python's open and pathlib, tf.train.Checkpoint, tf.keras.models.save_model"
_HINT_FOR_DISTRIBUTED = "tf.distribute.MultiWorkerMirroredStrategy"
_HINT_FOR_RESOLVER = "tf.distribute.cluster_resolver.TFConfigClusterResolver"

REFUSED: dict[str, dict[str, str]] = {
    "tf": {
        **dict.fromkeys(("Graph", "Operation", "graph_util", "import_graph_def", "mlir", "tools"), _HINT_FOR_GRAPH),
        **dict.fromkeys(("fftnd", "ifftnd", "irfftnd", "rfftnd", "signal"), _HINT_FOR_SPECTRAL),
        **dict.fromkeys(("qint16", "qint32", "qint8", "quantization", "quint16", "quint8"), _HINT_FOR_QUANTISED),
        **dict.fromkeys(("dtensor", "tpu"), _HINT_FOR_DISTRIBUTED),
        "CriticalSection": "threading.Lock",
        "DeviceSpec": "tf.device('/CPU:0')",
        "IndexedSlicesSpec": "tf.TensorSpec",
        "NoneTensorSpec": "None",
        "OptionalSpec": "tf.TensorSpec",
        "RegisterGradient": "tf.custom_gradient",
        "SparseTensor": _HINT_FOR_SPARSE,
        "SparseTensorSpec": "tf.TensorSpec",
        "TensorArraySpec": "tf.TensorArray",
        "TypeSpec": "tf.TensorSpec",
        "approx_top_k": "tf.math.top_k",
        "as_string": "Python's str and format of a tensor",
        "audio": "scipy.io.wavfile",
        "autograph": _HINT_FOR_COMPILER,
        "check_pinned": "nothing: memory is not pinned",
        "compat": "the names without compat.v1, and fastgrad.contrib.eager",
        "conv": "tf.nn.convolution",
        "conv2d_backprop_filter_v2": "tf.GradientTape over tf.nn.conv2d",
        "conv2d_backprop_input_v2": "tf.nn.conv2d_transpose",
        "edit_distance": _HINT_FOR_NUMPY,
        "experimental": "the names without experimental",
        "extract_volume_patches": "tf.strided_slice",
        "feature_column": "tf.data.Dataset.map and tf.one_hot",
        "fingerprint": "hashlib",
        "gradients": "tf.GradientTape().gradient",
        "guarantee_const": "tf.identity",
        "hessians": "tf.GradientTape().jacobian of a gradient",
        "image": "tf.numpy_function with an image library",
        "io": _HINT_FOR_FILES,
        "lite": "nothing: models are not exported",
        **dict.fromkeys(("load_library", "load_op_library"), "tf.numpy_function or ctypes"),
        "lookup": "a Python dict",
        "make_ndarray": "tensor.numpy()",
        "make_tensor_proto": "tf.constant",
        "no_gradient": "tf.stop_gradient",
        "nondifferentiable_batch_function": "tf.data.Dataset.batch",
        "parallel_stack": "tf.stack",
        "profiler": "Python's cProfile",
        "queue": "queue.Queue, tf.data.Dataset",
        "ragged_fill_empty_rows": _HINT_FOR_RAGGED,
        "ragged_fill_empty_rows_grad": _HINT_FOR_RAGGED,
        "random_index_shuffle": "tf.random.shuffle(tf.range(n))",
        "raw_ops": "the public functions: fastgrad.core.operation.TABLE is ours",
        "register_tensor_conversion_function": "a method __array__ on the class",
        "required_space_to_batch_paddings": "tf.nn.convolution(..., dilations=)",
        "resource": "tf.Variable",
        "saved_model": "tf.keras.models.save_model",
        "security": "nothing",
        "sets": "Python sets, tf.unique",
        "sparse": _HINT_FOR_SPARSE,
        "strings": "Python's strings",
        "sysconfig": "tf.config",
        "test": "pytest, numpy.testing",
        "timestamp": "time.time()",
        "type_spec_from_value": "tf.TensorSpec.from_tensor",
        "types": "tf.Tensor",
        "variable_creator_scope": "subclassing tf.Variable",
        "variant": "Python objects",
        "xla": _HINT_FOR_COMPILER,
    },
    "tf.distribute": {
        **dict.fromkeys(("ParameterServerStrategy", "TPUStrategy", "coordinator"), _HINT_FOR_DISTRIBUTED),
        "CrossDeviceOps": "tf.distribute.NcclAllReduce",
        "Server": "mpiexec, which starts all processes",
    },
    "tf.distribute.cluster_resolver": dict.fromkeys(
        ("GCEClusterResolver", "KubernetesExecutableLocation", "TPUClusterResolver", "UnionResolver"),
        _HINT_FOR_RESOLVER,
    ),
    "tf.distribute.experimental": {
        **dict.fromkeys(
            ("CentralStorageStrategy", "ParameterServerStrategy", "TPUStrategy", "coordinator", "partitioners"),
            _HINT_FOR_DISTRIBUTED,
        ),
        **dict.fromkeys(
            ("PreemptionCheckpointHandler", "PreemptionWatcher", "TerminationConfig"),
            "tf.keras.callbacks.BackupAndRestore",
        ),
        "rpc": "mpi4py",
    },
    "tf.math": {
        "approx_max_k": "tf.math.top_k",
        "approx_min_k": "tf.math.top_k of the negative",
        "sobol_sample": "scipy.stats.qmc.Sobol",
    },
    "tf.nn": {
        **_CANDIDATE_SAMPLER_HINTS,
        "RNNCellDeviceWrapper": "a Python loop over time",
        "RNNCellDropoutWrapper": "tf.nn.dropout inside a loop over time",
        "RNNCellResidualWrapper": "an addition inside a loop over time",
        "approx_max_k": "tf.nn.top_k",
        "approx_min_k": "tf.nn.top_k of the negative",
        "collapse_repeated": _HINT_FOR_NUMPY,
        "compute_accidental_hits": "tf.equal of labels and samples",
        "ctc_beam_search_decoder": _HINT_FOR_NUMPY,
        "ctc_greedy_decoder": "tf.argmax and a Python loop",
        "ctc_loss": "a loss of your own with tf.GradientTape",
        "ctc_unique_labels": "tf.unique",
        "dilation2d": "tf.nn.max_pool2d",
        "embedding_lookup_sparse": "tf.nn.embedding_lookup and tf.math.segment_sum",
        "erosion2d": "the negative of tf.nn.max_pool2d of the negative",
        "fractional_avg_pool": "tf.nn.avg_pool2d",
        "fractional_max_pool": "tf.nn.max_pool2d",
        "isotonic_regression": "sklearn.isotonic",
        "nce_loss": "tf.nn.sigmoid_cross_entropy_with_logits on sampled classes",
        "safe_embedding_lookup_sparse": "tf.nn.embedding_lookup and tf.math.segment_sum",
        "sampled_softmax_loss": "tf.nn.softmax_cross_entropy_with_logits on sampled classes",
        "with_space_to_batch": "tf.nn.convolution(..., dilations=)",
    },
    "tf.linalg": {
        **{f"LinearOperator{kind}": _HINT_FOR_OPERATOR for kind in _MISSING_LINEAR_OPERATOR_KINDS},
        "banded_triangular_solve": "tf.linalg.triangular_solve",
        "eigh_tridiagonal": "tf.linalg.eigh",
        "experimental": "tf.linalg.solve, tf.linalg.cholesky_solve",
        "tridiagonal_matmul": "tf.matmul",
        "tridiagonal_solve": "tf.linalg.solve",
    },
    "tf.keras.callbacks": {
        "OrbaxCheckpoint": "ModelCheckpoint, BackupAndRestore",
        "RemoteMonitor": "LambdaCallback with urllib.request",
    },
    "tf.keras.layers": {
        **dict.fromkeys(
            ("ConvLSTM1D", "ConvLSTM2D", "ConvLSTM3D"), "RNN with a cell of your own, or TimeDistributed(Conv2D)"
        ),
        **dict.fromkeys(_MISSING_ADAPTIVE_POOLS, "AveragePooling2D, MaxPooling2D, GlobalAveragePooling2D"),
        **dict.fromkeys(("TFSMLayer", "JaxLayer", "FlaxLayer", "TorchModuleWrapper"), "a layer of your own, or Lambda"),
        **dict.fromkeys(
            ("Discretization", "HashedCrossing", "Hashing", "IntegerLookup"), "CategoryEncoding, Embedding"
        ),
        **dict.fromkeys(("StringLookup", "TextVectorization"), "Dataset.map with Python, then Embedding"),
        **dict.fromkeys(("MelSpectrogram", "STFTSpectrogram"), "Dataset.map with scipy.signal.stft"),
        **dict.fromkeys(
            _MISSING_IMAGE_LAYERS, "Dataset.map with NumPy; Rescaling, Cropping2D, ZeroPadding2D, UpSampling2D"
        ),
        "Pipeline": "tf.keras.Sequential",
        "ReversibleEmbedding": "Embedding",
        "SpectralNormalization": "UnitNormalization, or a constraint",
        "ThresholdedReLU": "ReLU(threshold=...)",
    },
    "tf.random.experimental": {"index_shuffle": "tf.random.experimental.stateless_shuffle of tf.range(n)"},
    "tf.random": {
        **_CANDIDATE_SAMPLER_HINTS,
        "log_uniform_candidate_sampler": _HINT_FOR_SAMPLER,
        "stateless_parameterized_truncated_normal": "tf.random.stateless_truncated_normal",
        "uniform_candidate_sampler": _HINT_FOR_SAMPLER,
    },
}

NAMESPACES_WITH_PLANNED_NAMES = frozenset({"tf.keras.layers"})
"""Namespaces whose missing names are planned."""


def missing_name_error(namespace: str, name: str, known: Iterable[str]) -> AttributeError:
    """Returns the error for a public name of TensorFlow that fastgrad lacks, or for an unknown name.

    Args:
        namespace: ``"tf"``, ``"tf.nn"`` ...
        name: the missing name.
        known: the existing names.
    """
    nearest = REFUSED.get(namespace, {}).get(name)
    if nearest is not None:
        when = " yet" if namespace in NAMESPACES_WITH_PLANNED_NAMES else ""
        return AttributeError(f"{namespace}.{name}: TensorFlow has it, fastgrad does not{when}. Nearest: {nearest}.")
    return AttributeError(f"module 'fastgrad{namespace[2:]}' has no attribute {name!r}.{suggestions(name, known)}")


def suggestions(name: str, known: Iterable[str]) -> str:
    """Returns `` Did you mean: ...?`` with the names similar to ``name``; an empty string without similar names."""
    cutoff = 0.6 if len(name) > 2 else 0.5  # one wrong letter of two gives a similarity of 0.5
    close = difflib.get_close_matches(name, [k for k in known if not k.startswith("_")], 3, cutoff)
    return f" Did you mean: {', '.join(close)}?" if close else ""


def missing_name_getattr(namespace: str, module_globals: dict[str, Any]) -> Callable[[str], Any]:
    """Returns a module's ``__getattr__``, which raises ``missing_name_error``; ``module_globals`` are ``globals()``."""

    def refuse(name: str) -> Any:
        modules = {known for known, value in module_globals.items() if isinstance(value, ModuleType)}
        raise missing_name_error(namespace, name, module_globals.keys() - modules)

    return refuse
