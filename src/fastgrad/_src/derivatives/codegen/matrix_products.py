"""Products of matrices that add to a matrix in place: loops for small matrices, BLAS for large ones.

Numba's ``np.dot`` calls the same function of BLAS, but it makes a new array, copies views, and takes a second to compile.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir as llvm_ir
from numba import types
from numba.extending import intrinsic

from fastgrad._src.jit.library_functions import njit_kept_on_disk
from fastgrad._src.jit.numba_canaries import Feature
from fastgrad._src.jit.numba_features import is_on
from fastgrad._src.jit.numba_internals import cgutils

LARGE = 128
"""The multiplications from which BLAS computes a product."""
MOST_UNROLLED = 64
"""The multiplications up to which a product of constant shapes has no loops."""
_gemm = types.ExternalFunction(
    "numba_xxgemm",
    types.int32(
        *(types.int8, types.int8, types.int8, types.intp, types.intp, types.intp),
        *(types.intp, types.intp, types.intp, types.intp, types.intp, types.intp, types.intp, types.intp),
    ),
)
"""C's: the kind of numbers, two operands' transposition, three sizes, the factor, two operands, a factor of the result, the result; a matrix is an
address and the distance of its columns. It returns 0 unless SciPy is missing."""
_DOUBLE, _SINGLE, _SAME, _OTHER = map(ord, "dsnt")
"""What BLAS calls kinds of numbers, and an operand as it is or transposed."""


def pointer_to_item(builder: Any, address: Any, offset: Any, type: Any, width: int = 1) -> Any:
    """Returns the pointer to the item of ``type`` at ``offset`` times ``width`` bytes from an address.

    It is no sum of integers: code generation may make any summand the pointer. Where the other one is the address, and this one is the constant 0 in a
    caller, LLVM takes the pointer for null and removes the store.
    """
    start = builder.inttoptr(address, llvm_ir.IntType(8 * width).as_pointer())
    return builder.bitcast(builder.gep(start, [offset]), type.as_pointer())


@intrinsic
def _element(typing: Any, address: Any, offset: Any, like: Any) -> Any:
    """Returns the number of the type of ``like`` at an offset in bytes from an address."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        address, offset, like = arguments
        return builder.load(pointer_to_item(builder, address, offset, like.type))

    return like(types.intp, types.intp, like), generate


@intrinsic
def _set_element(typing: Any, address: Any, offset: Any, value: Any) -> Any:
    """Stores a number at an offset in bytes from an address."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        address, offset, value = arguments
        builder.store(value, pointer_to_item(builder, address, offset, value.type))
        return context.get_dummy_value()

    return types.void(types.intp, types.intp, value), generate


@intrinsic
def _address_of_copy(typing: Any, value: Any) -> Any:
    """Returns the address of a number on the stack."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        slot = cgutils.alloca_once_value(builder, arguments[0])
        return builder.ptrtoint(slot, llvm_ir.IntType(64))

    return types.intp(value), generate


@njit_kept_on_disk()
def _leading_dimension(matrix, rows, columns, item):  # type: ignore[no-untyped-def]
    """Returns the distance of a matrix' rows in items if they are contiguous, minus that of its columns if those are, and else 0.

    A matrix is its address, and the distances of rows and of columns in bytes; ``item`` is the size of an item.
    """
    _, row, column = matrix
    if column == item or columns == 1:
        if rows == 1:
            return columns
        if row >= columns * item and row % item == 0:
            return row // item
    if row == item or rows == 1:
        if columns == 1:
            return -rows
        if column >= rows * item and column % item == 0:
            return -(column // item)
    return 0


@njit_kept_on_disk()
def _is_finite(one, matrix, rows, columns):  # type: ignore[no-untyped-def]
    """Returns whether all elements of a matrix are finite numbers."""
    address, row, column = matrix
    for i in range(rows):
        for j in range(columns):
            value = _element(address, i * row + j * column, one)
            if value - value != 0:
                return False
    return True


@njit_kept_on_disk()
def _add_by_blas(one, item, out, a, b, sizes):  # type: ignore[no-untyped-def]
    """Adds the product of two matrices to a third by BLAS; returns whether it could."""
    m, k, n = sizes
    of_out = _leading_dimension(out, m, n, item)
    of_a, of_b = _leading_dimension(a, m, k, item), _leading_dimension(b, k, n, item)
    if of_out == 0 or of_a == 0 or of_b == 0:
        return False
    kind = _DOUBLE if item == 8 else _SINGLE
    factor = _address_of_copy(one)
    if of_out > 0:  # BLAS has matrices column by column: it computes the transposed product
        first, second = (_SAME if of_b > 0 else _OTHER), (_SAME if of_a > 0 else _OTHER)
        return (
            _gemm(kind, first, second, n, m, k, factor, b[0], abs(of_b), a[0], abs(of_a), factor, out[0], of_out) == 0
        )
    first, second = (_SAME if of_a < 0 else _OTHER), (_SAME if of_b < 0 else _OTHER)
    return _gemm(kind, first, second, m, n, k, factor, a[0], abs(of_a), b[0], abs(of_b), factor, out[0], -of_out) == 0


@njit_kept_on_disk()
def _add_matrix_product(one, item, out, a, b, sizes, is_guarded, has_blas):  # type: ignore[no-untyped-def]
    """Adds the product of two matrices to a third. If ``is_guarded``, a product of 0 and an infinite number or NaN is 0."""
    m, k, n = sizes
    is_guarded = is_guarded and not (_is_finite(one, a, m, k) and _is_finite(one, b, k, n))
    if has_blas and m * k * n >= LARGE and not is_guarded and _add_by_blas(one, item, out, a, b, sizes):
        return
    for i in range(m):
        for p in range(k):
            x = _element(a[0], i * a[1] + p * a[2], one)
            for j in range(n):
                y = _element(b[0], p * b[1] + j * b[2], one)
                if not is_guarded or (x != 0 and y != 0):
                    place = i * out[1] + j * out[2]
                    _set_element(out[0], place, _element(out[0], place, one) + x * y)


FLAT, MATRIX, TRANSPOSED, ROW, COLUMN = "fmtrc"
"""How an operand of ``add_product`` is a matrix: as a flat array, its start, its numbers of rows and of columns, and the steps between them, in a
tuple; a matrix; a matrix to be transposed; a vector as a row or as a column."""


@intrinsic(prefer_literal=True)
def add_product(typing: Any, forms: Any, out: Any, a: Any, b: Any, is_guarded: Any) -> Any:
    """Adds the product of two matrices, ``a`` and ``b``, to a third.

    Args:
        forms: how ``out``, ``a`` and ``b`` are matrices, three letters.
        out, a, b: arrays of floats of one type, or tuples of one and numbers.
        is_guarded: whether a product of 0 and an infinite number is 0.
    """
    if not isinstance(forms, types.StringLiteral):
        return None
    given = [types.unliteral(type) for type in (out, a, b)]
    dtype = getattr(given[0][0] if isinstance(given[0], types.BaseTuple) else given[0], "dtype", None)
    if not isinstance(dtype, types.Float):
        return None

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        index, item = llvm_ir.IntType(64), dtype.bitwidth // 8

        def parts(form: str, type: types.Type, value: Any) -> list[Any]:
            """Returns the address, the distances of rows and of columns in bytes, and their numbers."""
            numbers: list[Any] = []
            if form == FLAT:
                value, *given_numbers = cgutils.unpack_tuple(builder, value)
                numbers = [
                    context.cast(builder, number, number_type, types.intp)
                    for number, number_type in zip(given_numbers, list(type)[1:], strict=True)
                ]
                type = type[0]
            struct = context.make_array(type)(context, builder, value)
            if form == FLAT:
                start, rows, columns, *steps = numbers
                row, column = (builder.mul(number, index(item)) for number in steps)
                return [builder.ptrtoint(builder.gep(struct.data, [start]), index), row, column, rows, columns]
            address = builder.ptrtoint(struct.data, index)
            sizes, strides = (cgutils.unpack_tuple(builder, part) for part in (struct.shape, struct.strides))
            if form in (ROW, COLUMN):
                sizes, strides = [index(1), *sizes], [index(0), *strides]
            if form in (TRANSPOSED, COLUMN):
                sizes, strides = sizes[::-1], strides[::-1]
            return [address, *strides, *sizes]

        matrices = [parts(*each) for each in zip(forms.literal_value, signature.args[1:4], arguments[1:4], strict=True)]
        (*_, m, k), (*_, n) = matrices[1:]
        triple = types.UniTuple(types.intp, 3)
        values = [
            context.get_constant(dtype, 1.0),
            index(item),
            *[
                context.make_tuple(builder, triple, numbers)
                for numbers in [*[each[:3] for each in matrices], [m, k, n]]
            ],
            context.cast(builder, arguments[4], signature.args[4], types.boolean),
            context.get_constant(types.boolean, is_on(Feature.BLAS)),
        ]
        argument_types = (dtype, types.intp, triple, triple, triple, triple, types.boolean, types.boolean)
        function = types.Dispatcher(_add_matrix_product)
        found = context.typing_context.resolve_function_type(function, argument_types, {})
        code = context.get_function(function, found)
        result = code(builder, values)
        context.add_linking_libs(getattr(code, "libs", ()))
        return result

    return types.none(forms, *given, is_guarded), generate


def product_forms(first: int, second: int) -> str:
    """Returns the forms of the product of arrays of these ranks and its operands."""
    return {(2, 2): "mmm", (2, 1): "cmc", (1, 2): "rrm"}[first, second]
