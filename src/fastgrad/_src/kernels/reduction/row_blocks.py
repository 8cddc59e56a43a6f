"""Totals of several rows at a time.

Each row has `ROW_PARTS` partial results; element i goes to part i % ROW_PARTS. They are a vector or two, which stay in
registers. Adding up the parts of one row is a chain of dependent additions, 20 ns. So the parts of `ROW_PARTS` rows are
transposed and added up together, at 2 ns a row. The order of additions depends on the number of columns alone.
"""

from numpy import float64

from fastgrad._src.jit.body import fused_multiply_add, local_array, pack_panel, scalar_function, specialized
from fastgrad._src.kernels.math.vector_math import greatest, least

ROW_PARTS = 16  # of a row; also the rows whose parts are combined together
SEGMENT_COLUMNS = 1024  # columns whose sums are added up before they go to a float64 total
FIRST_CACHE_ELEMENTS = 4096  # elements of an array that stay in it


@scalar_function
def rows_per_block(columns):
    """Returns how many rows are computed at a time, so that they stay in the first cache for several reads."""
    return least(ROW_PARTS, greatest(FIRST_CACHE_ELEMENTS // greatest(columns, 1), 1))


@scalar_function
def clear_totals(totals):
    """Sets the total of each row to 0."""
    for k in range(ROW_PARTS):
        totals[k] = float64(0)


@scalar_function
def add_parts_to_totals(parts, rows, scratch, totals):
    """Adds up the `ROW_PARTS` partial sums of each row, and adds each sum to the row's total.

    Args:
        parts: the parts of row k begin at `ROW_PARTS` k.
        rows: at most `ROW_PARTS`.
        scratch: scratch memory of the size of parts.
        totals: float64.
    """
    pack_panel(parts, 0, 1, ROW_PARTS, scratch, ROW_PARTS, ROW_PARTS, rows)
    for i in range(1, ROW_PARTS):
        for k in range(ROW_PARTS):
            scratch[k] += scratch[ROW_PARTS * i + k]
    for k in range(ROW_PARTS):
        totals[k] += float64(scratch[k])


@scalar_function
def greatest_parts(parts, rows, scratch, peaks):
    """Sets `peaks`, an array of T, to the greatest of each row's `ROW_PARTS` partial maxima; NaN may be ignored."""
    if rows < ROW_PARTS:  # unused rows are compared, too; their peaks are ignored
        for i in range(ROW_PARTS * ROW_PARTS):
            scratch[i] = T(0)
    pack_panel(parts, 0, 1, ROW_PARTS, scratch, ROW_PARTS, ROW_PARTS, rows)
    for i in range(1, ROW_PARTS):
        for k in range(ROW_PARTS):
            scratch[k] = greatest(scratch[ROW_PARTS * i + k], scratch[k])
    for k in range(ROW_PARTS):
        peaks[k] = scratch[k]


@scalar_function
def plus_element(total, x, centre):
    """Returns total + x."""
    return total + x


@scalar_function
def plus_difference(total, x, centre):
    """Returns total + (x - centre)."""
    return total + (x - centre)


@scalar_function
def plus_square(total, x, centre):
    """Returns total + (x - centre)^2, the square not rounded."""
    distance = x - centre
    return fused_multiply_add(distance, distance, total)


def _row_term_sums(x, centres, top, rows, columns, parts, scratch, totals):
    part = local_array(T, 16)
    whole = columns // ROW_PARTS * ROW_PARTS
    clear_totals(totals)
    for left in range(0, columns, SEGMENT_COLUMNS):
        right = least(whole, left + SEGMENT_COLUMNS)
        for k in range(rows):
            at = (top + k) * columns
            centre = centres[k]
            for i in range(ROW_PARTS):
                part[i] = T(0)
            for c in range(left, right, ROW_PARTS):
                for i in range(ROW_PARTS):
                    part[i] = add_row_term(part[i], x[at + c + i], centre)
            if left + SEGMENT_COLUMNS >= columns:
                for i in range(columns - whole):
                    part[i] = add_row_term(part[i], x[at + whole + i], centre)
            for i in range(ROW_PARTS):
                parts[ROW_PARTS * k + i] = part[i]
        add_parts_to_totals(parts, rows, scratch, totals)


add_row_term = plus_difference  # each function is compiled with its own
row_sums = scalar_function(specialized(_row_term_sums, "row_sums", add_row_term=plus_element))
"""Sets `totals` to the sums of the rows from `top` on; ignores the numbers `centres`."""

row_distance_sums = scalar_function(specialized(_row_term_sums, "row_distance_sums", add_row_term=plus_difference))
"""Sets `totals` to the sums of x - centres[k] over row k, for the rows from `top` on."""

row_square_sums = scalar_function(specialized(_row_term_sums, "row_square_sums", add_row_term=plus_square))
"""Sets `totals` to the sums of (x - centres[k])^2 over row k, for the rows from `top` on."""


@scalar_function
def copy_last_columns(x, top, rows, columns, tails):
    """Copies the last `columns % ROW_PARTS` columns of rows to `tails`; those of row k begin at tails[ROW_PARTS k]."""
    whole = columns // ROW_PARTS * ROW_PARTS
    if whole < columns:
        pack_panel(x, top * columns + whole, columns, 1, tails, ROW_PARTS, rows, columns - whole)


@scalar_function
def row_product_sums(x, y, top, rows, columns, last_x, last_y, parts, scratch, totals):
    """Sets `totals` to the sums of x * y over the rows from `top` on; `last_x` and `last_y` are scratch memory."""
    part = local_array(T, 16)
    whole = columns // ROW_PARTS * ROW_PARTS
    copy_last_columns(x, top, rows, columns, last_x)
    copy_last_columns(y, top, rows, columns, last_y)
    clear_totals(totals)
    for left in range(0, columns, SEGMENT_COLUMNS):
        right = least(whole, left + SEGMENT_COLUMNS)
        for k in range(rows):
            at = (top + k) * columns
            for i in range(ROW_PARTS):
                part[i] = T(0)
            for c in range(left, right, ROW_PARTS):
                for i in range(ROW_PARTS):
                    part[i] = fused_multiply_add(x[at + c + i], y[at + c + i], part[i])
            if left + SEGMENT_COLUMNS >= columns and whole < columns:
                for i in range(ROW_PARTS):
                    product = fused_multiply_add(last_x[ROW_PARTS * k + i], last_y[ROW_PARTS * k + i], part[i])
                    part[i] = product if i < columns - whole else part[i]
            for i in range(ROW_PARTS):
                parts[ROW_PARTS * k + i] = part[i]
        add_parts_to_totals(parts, rows, scratch, totals)
