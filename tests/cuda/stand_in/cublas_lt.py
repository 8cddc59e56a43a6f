"""A stand-in for `nvmath.bindings.cublasLt` and `.cublas`: it knows what it is told, refuses what is wrong, and multiplies by NumPy.

Matrices lie in memory of a simulated GPU. What is said of cuBLASLt is from NVIDIA's documentation: layouts along columns, which
pointers an epilogue needs, of what leading dimensions are multiples. Whether a GPU has an algorithm for it, only a GPU can tell.
"""

import ctypes
import enum
import math
from itertools import count

import ml_dtypes
import numpy as np

TYPES = {0: np.float32, 1: np.float64, 2: np.float16, 14: ml_dtypes.bfloat16}
WORKSPACE = 4096


class ComputeType(enum.IntEnum):
    COMPUTE_32F = 68
    COMPUTE_64F = 70
    COMPUTE_32F_FAST_TF32 = 77


class Operation(enum.IntEnum):
    N = 0
    T = 1


class Order(enum.IntEnum):
    COL = 0
    ROW = 1


class Epilogue(enum.IntEnum):
    DEFAULT = 1
    RELU = 2
    RELU_AUX = 130
    BIAS = 4
    RELU_BIAS = 6
    RELU_AUX_BIAS = 134
    DRELU = 136
    DRELU_BGRAD = 152
    GELU = 32
    GELU_AUX = 160
    GELU_BIAS = 36
    GELU_AUX_BIAS = 164
    DGELU = 192
    DGELU_BGRAD = 208
    BGRADA = 256
    BGRADB = 512


class MatmulDescAttribute(enum.IntEnum):
    TRANSA = 3
    TRANSB = 4
    EPILOGUE = 7
    BIAS_POINTER = 8
    EPILOGUE_AUX_POINTER = 11
    EPILOGUE_AUX_LD = 12


class MatrixLayoutAttribute(enum.IntEnum):
    ORDER = 1
    BATCH_COUNT = 5
    STRIDED_BATCH_OFFSET = 6


class MatmulPreferenceAttribute(enum.IntEnum):
    MAX_WORKSPACE_BYTES = 1
    MIN_ALIGNMENT_A_BYTES = 5
    MIN_ALIGNMENT_B_BYTES = 6
    MIN_ALIGNMENT_C_BYTES = 7
    MIN_ALIGNMENT_D_BYTES = 8


class cuBLASLtError(Exception):
    def __init__(self, status):
        super().__init__(status)


class MatmulHeuristicResult:
    def __init__(self, size=1):
        self._memory = (ctypes.c_uint8 * (96 * size))()
        self.ptr = ctypes.addressof(self._memory)

    @property
    def workspace_size(self):
        return ctypes.c_uint64.from_address(self.ptr + 64).value


DTYPES = {
    "TRANSA": np.int32,
    "TRANSB": np.int32,
    "EPILOGUE": np.uint32,
    "BIAS_POINTER": np.int64,
    "EPILOGUE_AUX_POINTER": np.int64,
    "EPILOGUE_AUX_LD": np.int64,
    "ORDER": np.int32,
    "BATCH_COUNT": np.int32,
    "STRIDED_BATCH_OFFSET": np.int64,
    "MAX_WORKSPACE_BYTES": np.uint64,
    **{f"MIN_ALIGNMENT_{one}_BYTES": np.uint32 for one in "ABCD"},
}

calls = []  # names of epilogues, and whether TF32 was allowed
refused = set()  # names of epilogues that no algorithm is said to be for
within = [lambda address, nbytes: None]  # raises where memory is not a GPU's
do = [lambda stream, step: step()]  # does work of a stream, or writes it down
_handles = count(0x1000, 16)
_made = {}


def create():
    return 0x77


def _new(**told):
    handle = next(_handles)
    _made[handle] = told
    return handle


def live():
    """How many descriptions there are."""
    return len(_made)


def matmul_desc_create(compute_type, scale_type):
    assert scale_type == (1 if compute_type == ComputeType.COMPUTE_64F else 0)
    return _new(compute=compute_type, scale=TYPES[scale_type], TRANSA=0, TRANSB=0, EPILOGUE=1)


def matrix_layout_create(type, rows, cols, ld):
    assert ld >= rows > 0 < cols
    return _new(
        dtype=np.dtype(TYPES[type]), rows=rows, cols=cols, ld=ld, ORDER=0, BATCH_COUNT=1, STRIDED_BATCH_OFFSET=0
    )


def matmul_preference_create():
    return _new(MAX_WORKSPACE_BYTES=0)


def _destroy(handle):
    del _made[handle]


def matmul_desc_destroy(matmul_desc):
    _destroy(matmul_desc)


def matrix_layout_destroy(mat_layout):
    _destroy(mat_layout)


def matmul_preference_destroy(pref):
    _destroy(pref)


def _set(handle, attribute, buf, size_in_bytes):
    dtype = np.dtype(DTYPES[attribute.name])
    assert size_in_bytes == dtype.itemsize, attribute
    _made[handle][attribute.name] = int(np.frombuffer(ctypes.string_at(buf, size_in_bytes), dtype)[0])


def matmul_desc_set_attribute(matmul_desc, attr, buf, size_in_bytes):
    _set(matmul_desc, MatmulDescAttribute(attr), buf, size_in_bytes)


def matrix_layout_set_attribute(mat_layout, attr, buf, size_in_bytes):
    _set(mat_layout, MatrixLayoutAttribute(attr), buf, size_in_bytes)


def matmul_preference_set_attribute(pref, attr, buf, size_in_bytes):
    _set(pref, MatmulPreferenceAttribute(attr), buf, size_in_bytes)


def get_matmul_desc_attribute_dtype(attr):
    return DTYPES[MatmulDescAttribute(attr).name]


def get_matrix_layout_attribute_dtype(attr):
    return DTYPES[MatrixLayoutAttribute(attr).name]


def get_matmul_preference_attribute_dtype(attr):
    return DTYPES[MatmulPreferenceAttribute(attr).name]


def matmul_algo_get_heuristic(
    light_handle,
    operation_desc,
    adesc,
    bdesc,
    cdesc,
    ddesc,
    preference,
    requested_algo_count,
    heuristic_results_array,
    return_algo_count,
):
    told, allowed = _made[operation_desc], _made[preference]
    assert (light_handle, requested_algo_count, cdesc) == (0x77, 1, ddesc)
    assert all(allowed[f"MIN_ALIGNMENT_{one}_BYTES"] == 16 for one in "ABCD"), "256 is what it takes for granted"
    _sizes(told, *[_made[one] for one in (adesc, bdesc, ddesc)])
    if Epilogue(told["EPILOGUE"]).name in refused:
        raise cuBLASLtError(15)  # CUBLAS_STATUS_NOT_SUPPORTED
    ctypes.c_uint64.from_address(heuristic_results_array).value = operation_desc
    ctypes.c_uint64.from_address(heuristic_results_array + 64).value = min(WORKSPACE, allowed["MAX_WORKSPACE_BYTES"])
    ctypes.c_int32.from_address(return_algo_count).value = 1


def _sizes(told, a, b, d):
    """The sizes m, n, k of a product, of which everything that is told is looked at."""
    m, k = (a["cols"], a["rows"]) if told["TRANSA"] else (a["rows"], a["cols"])
    inner, n = (b["cols"], b["rows"]) if told["TRANSB"] else (b["rows"], b["cols"])
    assert (d["rows"], d["cols"], inner) == (m, n, k)
    assert all(one["ORDER"] == Order.COL for one in (a, b, d))
    assert a["BATCH_COUNT"] == b["BATCH_COUNT"] == d["BATCH_COUNT"]
    assert a["dtype"] == b["dtype"]
    halves = a["dtype"].itemsize == 2
    assert d["dtype"] == a["dtype"] or (halves and d["dtype"] == np.float32)
    assert (told["scale"] == np.float64) == (a["dtype"] == np.float64)
    name = Epilogue(told["EPILOGUE"]).name
    assert ("BIAS" in name or "BGRAD" in name) == ("BIAS_POINTER" in told), name
    has_aux = "AUX" in name or (name.startswith("D") and name != "DEFAULT")
    assert has_aux == ("EPILOGUE_AUX_POINTER" in told), name
    if has_aux:
        ld, least = told["EPILOGUE_AUX_LD"], 128 if "RELU" in name else 8
        assert ld % least == 0 <= ld - m, (name, ld)
    assert not (name[0] == "D" and name != "DEFAULT" and k == 1), "not supported"
    if name == "BGRADB":
        assert told["TRANSB"], "a known fault of the library"
    if name != "DEFAULT":
        assert d["BATCH_COUNT"] == 1
    return m, n, k


def _array(address, shape, dtype, strides=None):
    """Memory of a GPU as an array."""
    dtype = np.dtype(dtype)
    strides = strides or tuple([dtype.itemsize * math.prod(shape[:i]) for i in range(len(shape))])
    nbytes = dtype.itemsize + sum((n - 1) * s for n, s in zip(shape, strides, strict=True))
    assert address % 16 == 0
    within[0](address, nbytes)
    memory = (ctypes.c_uint8 * nbytes).from_address(address)
    return np.ndarray(shape, dtype, memory, 0, strides)


def _matrices(address, layout):
    size = layout["dtype"].itemsize
    strides = size * layout["STRIDED_BATCH_OFFSET"], size, size * layout["ld"]
    return _array(address, (layout["BATCH_COUNT"], layout["rows"], layout["cols"]), layout["dtype"], strides)


def _gelu(x):
    return 0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))


def _gelu_slope(x):
    c = math.sqrt(2 / math.pi)
    t = np.tanh(c * (x + 0.044715 * x**3))
    return 0.5 * (1 + t) + 0.5 * x * (1 - t**2) * c * (1 + 3 * 0.044715 * x**2)


def matmul(
    light_handle,
    compute_desc,
    alpha,
    a,
    adesc,
    b,
    bdesc,
    beta,
    c,
    cdesc,
    d,
    ddesc,
    algo,
    workspace,
    workspace_size_in_bytes,
    stream,
):
    told, layouts = dict(_made[compute_desc]), [dict(_made[one]) for one in (adesc, bdesc, ddesc)]
    number = np.dtype(told["scale"])
    scales = [np.frombuffer(ctypes.string_at(one, number.itemsize), number)[0] for one in (alpha, beta)]
    assert (light_handle, scales, c, cdesc) == (0x77, [1, 0], d, ddesc)
    assert ctypes.c_uint64.from_address(algo).value == compute_desc, "the algorithm of another product"
    assert workspace_size_in_bytes == WORKSPACE
    assert workspace % 64 == 0
    within[0](workspace, workspace_size_in_bytes)
    name = Epilogue(told["EPILOGUE"]).name
    calls.append((name, told["compute"] == ComputeType.COMPUTE_32F_FAST_TF32))
    do[0](stream, lambda: _multiply(name, told, layouts, (a, b, d)))


def _multiply(name, told, layouts, addresses):
    m, n, _ = _sizes(told, *layouts)
    x, y, out = map(_matrices, addresses, layouts)
    x, y = (one.astype(np.float64) for one in (x, y))
    x = x.swapaxes(1, 2) if told["TRANSA"] else x
    y = y.swapaxes(1, 2) if told["TRANSB"] else y
    with np.errstate(invalid="ignore", over="ignore"):
        z = x @ y
    dtype = layouts[2]["dtype"]
    if "BIAS" in name:
        z = z + _array(told["BIAS_POINTER"], (m,), dtype).astype(np.float64)[:, None]
    if "RELU" in name:
        row = told.get("EPILOGUE_AUX_LD", 0) // 8
        if name[0] == "D":
            bits = np.unpackbits(_array(told["EPILOGUE_AUX_POINTER"], (row, n), np.uint8), axis=0, bitorder="little")
            z = z * bits[:m]
        else:
            if "AUX" in name:
                bits = np.zeros((8 * row, n), np.uint8)
                bits[:m] = z[0] > 0
                _array(told["EPILOGUE_AUX_POINTER"], (row, n), np.uint8)[:] = np.packbits(
                    bits, axis=0, bitorder="little"
                )
            z = np.maximum(z, 0)
    elif "GELU" in name:
        if "EPILOGUE_AUX_LD" in told:
            size = dtype.itemsize
            strides = size, size * told["EPILOGUE_AUX_LD"]
            aux = _array(told["EPILOGUE_AUX_POINTER"], (m, n), dtype, strides)
        if name[0] == "D":
            z = z * _gelu_slope(aux.astype(np.float64))
        else:
            if "AUX" in name:
                aux[:] = z[0]
            z = _gelu(z)
    if "BGRAD" in name:
        length = n if name == "BGRADB" else m
        sums = y[0].sum(0) if name == "BGRADB" else x[0].sum(1) if name == "BGRADA" else z[0].sum(1)
        _array(told["BIAS_POINTER"], (length,), dtype)[:] = sums
    out[:] = z
