"""Bounds checks for the tiles of products in checked builds (`bounds.py`); they run before the tile.

A check is a body, too: it reads the first and the last element of a tile, and ignores the values. These reads are checked
like any access. Its parameters are the parameters of the function (see `body`), the bytes of an element, the elements
of a vector, and whether loads of the first lanes of a vector are fast.
"""

from __future__ import annotations

from fastgrad._src.jit import body
from fastgrad._src.jit.body import scalar_function


@scalar_function
def _read_two_elements(x, first, last):
    """Reads x[first] and x[last], so that the pointer's checks see them; True if they are equal."""
    return x[first] == x[last]


@scalar_function
def _check_matrix(x, start, row_stride, rows, column_stride, columns):
    """Checks that a checked pointer has all elements of a strided matrix that begins at the element `start`."""
    low, high = start, start
    down, right = row_stride * (rows - 1), column_stride * (columns - 1)
    if down < 0:
        low += down
    else:
        high += down
    if right < 0:
        low += right
    else:
        high += right
    if rows > 0 and columns > 0:
        _read_two_elements(x, low, high)


@scalar_function
def _rounded_to_vectors(count, lanes):
    """Returns `count` rounded up to whole vectors."""
    return (count + lanes - 1) // lanes * lanes


@scalar_function
def _check_multiply_rows(
    a, a_at, a_row, a_k, b, b_at, b_k, c, c_at, c_row, accumulate, depth, rows, columns, size, lanes, masks
):  # fmt: skip
    _check_matrix(a, a_at, a_row, rows, a_k, depth)
    _check_matrix(b, b_at, b_k, depth, 1, columns if masks != 0 else _rounded_to_vectors(columns, lanes))
    _check_matrix(c, c_at, c_row, rows, 1, columns)


@scalar_function
def _check_pack_panel(b, b_at, b_k, b_column, target, target_row, depth, columns, size, lanes, masks):
    _check_matrix(b, b_at, b_k, depth, b_column, columns)
    _check_matrix(
        target,
        0,
        target_row,
        depth if b_column == 1 else _rounded_to_vectors(depth, lanes),
        1,
        _rounded_to_vectors(columns, lanes),
    )


@scalar_function
def _check_transpose_rows(x, x_at, x_row, y, y_at, y_row, rows, columns, size, lanes, masks):
    _check_matrix(x, x_at, x_row, columns, 1, rows)
    _check_matrix(y, y_at, y_row, rows, 1, columns)


@scalar_function
def _check_multiply_pairs(
    a, a_at, a_row, a_k, b, b_at, b_k, c, c_at, c_row, accumulate, depth, rows, columns, size, lanes, masks
):  # fmt: skip
    _check_matrix(a, a_at, a_row, rows, a_k, depth)
    _check_matrix(a, a_at + 4 // size - 1, a_row, rows, a_k, depth)
    _check_matrix(b, b_at, b_k, depth, 1, columns if masks != 0 else _rounded_to_vectors(columns, lanes * size // 4))
    _check_matrix(c, c_at, c_row, rows, 1, columns)


@scalar_function
def _check_pack_pairs(b, b_at, b_column, target, target_row, depth, columns, size, lanes, masks):
    _check_matrix(b, b_at, 1, 2 * depth, b_column, columns)
    _check_matrix(
        target, 0, target_row, _rounded_to_vectors(depth, lanes // 2), 1, _rounded_to_vectors(columns, lanes // 2)
    )


@scalar_function
def _extremes_of_column(table, first_place, rows):
    """Returns the least and the greatest number of a column of a table of pairs, which starts at `first_place`."""
    low, high = table[first_place], table[first_place]
    for i in range(1, rows):
        value = table[first_place + 2 * i]
        if value < low:
            low = value
        if value > high:
            high = value
    return low, high


@scalar_function
def _check_tabulated_product(
    a, a_at, b, b_at, c, c_at, places, terms_at, depth, rows_at, rows, columns, size, elements_after_a
):  # fmt: skip
    if depth > 0 and rows > 0 and columns > 0:
        a_term, a_last = _extremes_of_column(places, terms_at, depth)
        b_term, b_last = _extremes_of_column(places, terms_at + 1, depth)
        a_row, a_end = _extremes_of_column(places, rows_at, rows)
        c_row, c_end = _extremes_of_column(places, rows_at + 1, rows)
        _read_two_elements(a, a_at + (a_term + a_row) // size, a_at + (a_last + a_end) // size + elements_after_a)
        _read_two_elements(b, b_at + b_term // size, b_at + b_last // size + columns - 1)
        _read_two_elements(c, c_at + c_row // size, c_at + c_end // size + columns - 1)


@scalar_function
def _check_multiply_windows(
    a, a_at, b, b_at, c, c_at, accumulate, places, terms_at, depth, rows_at, rows, columns, size, lanes, masks
):  # fmt: skip
    _check_tabulated_product(a, a_at, b, b_at, c, c_at, places, terms_at, depth, rows_at, rows, columns, size, 0)


@scalar_function
def _check_multiply_windows_depthwise(
    a, a_at, b, b_at, c, c_at, accumulate, places, terms_at, depth, rows_at, rows, columns, size, lanes, masks
):  # fmt: skip
    _check_tabulated_product(
        a, a_at, b, b_at, c, c_at, places, terms_at, depth, rows_at, rows, columns, size, columns - 1
    )


CHECKS = {
    body.multiply_windows_depthwise: _check_multiply_windows_depthwise,
    body.multiply_pairs: _check_multiply_pairs,
    body.multiply_rows: _check_multiply_rows,
    body.multiply_windows: _check_multiply_windows,
    body.pack_pairs: _check_pack_pairs,
    body.pack_panel: _check_pack_panel,
    body.transpose_rows: _check_transpose_rows,
}
"""The check of each tile function."""
