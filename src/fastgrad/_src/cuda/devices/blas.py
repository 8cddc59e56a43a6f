"""Matrix products by NVIDIA's cuBLASLt, with the bindings of the package nvmath-python, if both are installed.

cuBLASLt is column-major; fastgrad's matrices are row-major. So this module computes the transpose, D' = B' A': the first operand of
cuBLASLt is fastgrad's second operand, and no data moves.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from fastgrad._src.jit.signature import Parameter, parse_signature
from fastgrad._src.jit.user_lines import warn

_CUDA_DATA_TYPES = {"float32": 0, "float64": 1, "float16": 2, "bfloat16": 14}  # cudaDataType
MOST_WORKSPACE_BYTES = 1 << 25
"""The limit on workspace in bytes, as NVIDIA recommends for its newer GPUs."""
_LEAST_ARRAY_ALIGNMENT_IN_BYTES = 16  # the least alignment of the arrays of programs, in bytes
_WORKSPACE_ALIGNMENT_IN_BYTES = 256  # cuBLASLt refuses others
_SIGNATURE = parse_signature("a: in[A], b: in[A], d: out[D], workspace: out[uint8]")


class ProductSpec(NamedTuple):
    """A product of row-major matrices, D = A B.

    Attributes:
        dtype, out: the dtype of A and B, and of D; one of float32, float64, bfloat16 and float16.
        batches: the number of matrices.
        m, n, k: the rows and columns of D, and the number of terms.
        transpose_a, transpose_b: whether A is stored as k rows of m, and B as n rows of k.
        a_batch, b_batch: the distance in elements to the next A, and to the next B.
        tf32: whether float32 may be rounded to TF32.
    """

    dtype: str
    out: str
    batches: int
    m: int
    n: int
    k: int
    transpose_a: bool
    transpose_b: bool
    a_batch: int
    b_batch: int
    tf32: bool = False


class LibraryKernel:
    """A product for which cuBLASLt has an algorithm. Launches use it in place of a `DeviceKernel`.

    Attributes:
        spec: the product.
        name: the name in reports.
        workspace: the bytes of its workspace.
        scratch_bytes: the bytes of memory that hold a workspace of the alignment that cuBLASLt wants.
    """

    def __init__(self, blas: Blas, spec: ProductSpec, handles: dict[str, int], algorithm: Any, workspace: int) -> None:
        self.spec, self.workspace, self.signature = spec, workspace, _SIGNATURE
        self.name = "cublasLt"
        self.scratch_bytes = workspace + _WORKSPACE_ALIGNMENT_IN_BYTES - 1
        self._blas, self._handles, self._algorithm = blas, handles, algorithm
        number = np.float64 if spec.dtype == "float64" else np.float32
        self._one, self._zero = np.ones(1, number), np.zeros(1, number)
        weakref.finalize(self, blas.destroy_descriptions, handles)

    @property
    def entry_parameters(self) -> tuple[Parameter, ...]:
        """The parameters of a launch of the product, as of a `DeviceKernel`."""
        return self.signature.parameters

    def run(self, words: Sequence[int | float], stream: int) -> None:
        """Enqueues the matrix product on a stream.

        Args:
            words: the address of each of `entry_parameters`.
            stream: the handle of the stream, which may be under graph capture.
        """
        addresses = {parameter.name: int(word) for parameter, word in zip(self.entry_parameters, words, strict=False)}
        blas, handles = self._blas, self._handles
        with blas.lock:
            alpha, beta = int(self._one.ctypes.data), int(self._zero.ctypes.data)
            first_operand, second_operand = (addresses["b"], handles["b"]), (addresses["a"], handles["a"])
            c_operand, d_operand = (addresses["d"], handles["d"]), (addresses["d"], handles["d"])
            workspace = -(-addresses["workspace"] // _WORKSPACE_ALIGNMENT_IN_BYTES) * _WORKSPACE_ALIGNMENT_IN_BYTES
            algorithm = int(self._algorithm.ptr)  # its first field is the algorithm
            blas.lt.matmul(
                blas.handle,
                handles["product"],
                alpha,
                *first_operand,
                *second_operand,
                beta,
                *c_operand,
                *d_operand,
                algorithm,
                workspace,
                self.workspace,
                stream,
            )


class Blas:
    """cuBLASLt on the GPU of the calling thread.

    Args:
        lt, cublas: the modules of `nvmath.bindings`.

    Attributes:
        lt: as given.
        handle: the library's handle.
        lock: held while a description is made or used.
    """

    def __init__(self, lt: Any, cublas: Any) -> None:
        self.lt, self._cublas = lt, cublas
        self.handle = lt.create()
        self.lock = threading.RLock()
        self._known: weakref.WeakValueDictionary[ProductSpec, LibraryKernel] = weakref.WeakValueDictionary()
        self._refused: set[ProductSpec] = set()

    def kernel_of(self, spec: ProductSpec) -> LibraryKernel | None:
        """Returns the kernel of a product; None if cuBLASLt has no algorithm for it."""
        with self.lock:
            kernel = self._known.get(spec)
            if kernel is None and spec not in self._refused:
                kernel = self._new_kernel(spec)
                if kernel is None:
                    self._refused.add(spec)
                else:
                    self._known[spec] = kernel
            return kernel

    def _new_kernel(self, spec: ProductSpec) -> LibraryKernel | None:
        if spec.dtype not in _CUDA_DATA_TYPES or spec.out not in _CUDA_DATA_TYPES:
            return None
        lt, compute = self.lt, self._cublas.ComputeType
        compute_type = compute.COMPUTE_64F if spec.dtype == "float64" else compute.COMPUTE_32F
        if spec.tf32 and spec.dtype == "float32":
            compute_type = compute.COMPUTE_32F_FAST_TF32
        handles = {
            "product": lt.matmul_desc_create(
                int(compute_type), _CUDA_DATA_TYPES["float64" if spec.dtype == "float64" else "float32"]
            )
        }
        try:
            self._describe(spec, handles)
            preference = handles["preference"] = lt.matmul_preference_create()
            self.set_attribute("matmul_preference", preference, "MAX_WORKSPACE_BYTES", MOST_WORKSPACE_BYTES)
            for operand in "ABCD":
                self.set_attribute(
                    "matmul_preference", preference, f"MIN_ALIGNMENT_{operand}_BYTES", _LEAST_ARRAY_ALIGNMENT_IN_BYTES
                )
            result, count = lt.MatmulHeuristicResult(1), np.zeros(1, np.int32)
            description_handles = [handles[name] for name in ("product", "b", "a", "d", "d", "preference")]
            lt.matmul_algo_get_heuristic(self.handle, *description_handles, 1, int(result.ptr), int(count.ctypes.data))
        except lt.cuBLASLtError:
            count[:] = 0
        if not count[0]:
            self.destroy_descriptions(handles)
            return None
        workspace = int(np.reshape(result.workspace_size, -1)[0])
        return LibraryKernel(self, spec, handles, result, workspace)

    def _describe(self, spec: ProductSpec, handles: dict[str, int]) -> None:
        """Adds cuBLASLt's layouts and description of a product to its handles."""
        m, n, k, transposed = spec.m, spec.n, spec.k, self._cublas.Operation.T
        sizes = {
            "b": ((k, n, k) if spec.transpose_b else (n, k, n), spec.dtype, spec.b_batch),
            "a": ((m, k, m) if spec.transpose_a else (k, m, k), spec.dtype, spec.a_batch),
            "d": ((n, m, n), spec.out, m * n),
        }
        for name, (size, dtype, batch) in sizes.items():
            layout = handles[name] = self.lt.matrix_layout_create(_CUDA_DATA_TYPES[dtype], *size)
            self.set_attribute("matrix_layout", layout, "ORDER", self.lt.Order.COL)
            if spec.batches > 1:
                self.set_attribute("matrix_layout", layout, "BATCH_COUNT", spec.batches)
                self.set_attribute("matrix_layout", layout, "STRIDED_BATCH_OFFSET", batch)
        for name, is_transposed in (("TRANSA", spec.transpose_b), ("TRANSB", spec.transpose_a)):
            if is_transposed:
                self.set_attribute("matmul_desc", handles["product"], name, transposed)

    def set_attribute(self, kind: str, handle: int, name: str, value: Any) -> None:
        """Sets an attribute of a cuBLASLt object.

        Args:
            kind: "matmul_desc", "matrix_layout" or "matmul_preference".
            handle: the handle of the object.
            name: the name of the attribute.
            value: the value of the attribute.
        """
        family = "".join(word.capitalize() for word in kind.split("_")) + "Attribute"
        attribute = getattr(self.lt, family)[name]
        buffer = np.array([int(value)], getattr(self.lt, f"get_{kind}_attribute_dtype")(attribute))
        getattr(self.lt, f"{kind}_set_attribute")(handle, int(attribute), int(buffer.ctypes.data), buffer.nbytes)

    def destroy_descriptions(self, handles: dict[str, int]) -> None:
        """Destroys cuBLASLt's descriptions of a product."""
        for name, handle in handles.items():
            kind = {"product": "matmul_desc", "preference": "matmul_preference"}.get(name, "matrix_layout")
            getattr(self.lt, f"{kind}_destroy")(handle)


def installed_blas() -> Blas | None:
    """Returns cuBLASLt if it and its bindings are installed, else None."""
    try:
        from nvmath.bindings import cublas, cublasLt
    except ImportError:
        return None
    try:
        return Blas(cublasLt, cublas)
    except Exception as error:  # noqa: BLE001 (the package raises errors of many kinds where a library is missing)
        warn(
            f"nvmath-python is installed, and cuBLASLt can't be used ({' '.join(str(error).split())}): fastgrad multiplies "
            'matrices by kernels of its own. Run: pip install nvmath-python "nvidia-cublas==13.*"',
            RuntimeWarning,
        )
        return None
