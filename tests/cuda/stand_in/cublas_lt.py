"""A stand-in for `nvmath.bindings.cublasLt` and `.cublas`: it knows what it is told, refuses what is wrong, and multiplies by NumPy.

Matrices lie in memory of a simulated GPU. What is said of cuBLASLt is from NVIDIA's documentation: layouts along columns. Whether a GPU
has an algorithm for a product, only a GPU can tell.
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


class MatmulDescAttribute(enum.IntEnum):
    TRANSA = 3
    TRANSB = 4


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
    "ORDER": np.int32,
    "BATCH_COUNT": np.int32,
    "STRIDED_BATCH_OFFSET": np.int64,
    "MAX_WORKSPACE_BYTES": np.uint64,
    **{f"MIN_ALIGNMENT_{one}_BYTES": np.uint32 for one in "ABCD"},
}

calls = []  # for each product, whether TF32 was allowed
refused = set()  # dtypes that no algorithm is said to be for
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
    return _new(compute=compute_type, scale=TYPES[scale_type], TRANSA=0, TRANSB=0)


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
    if _made[adesc]["dtype"] in refused:
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
    assert d["dtype"] == a["dtype"] or (a["dtype"].itemsize == 2 and d["dtype"] == np.float32)
    assert (told["scale"] == np.float64) == (a["dtype"] == np.float64)
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
    assert workspace % 256 == 0, "cuBLASLt on an H200: must be aligned to at least a multiple of 256 bytes"
    within[0](workspace, workspace_size_in_bytes)
    calls.append(told["compute"] == ComputeType.COMPUTE_32F_FAST_TF32)
    do[0](stream, lambda: _multiply(told, layouts, (a, b, d)))


def _multiply(told, layouts, addresses):
    _sizes(told, *layouts)
    x, y, out = map(_matrices, addresses, layouts)
    x, y = (one.astype(np.float64) for one in (x, y))
    x = x.swapaxes(1, 2) if told["TRANSA"] else x
    y = y.swapaxes(1, 2) if told["TRANSB"] else y
    with np.errstate(invalid="ignore", over="ignore"):
        out[:] = x @ y
