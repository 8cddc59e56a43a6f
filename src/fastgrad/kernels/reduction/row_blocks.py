"""Totals of several rows at once.

Each row has `PARTS` partial results, element i going to part i % PARTS: a vector or two that stay in registers. Adding up the
parts of one row is a chain of additions that nothing else hides, 20 ns; so the parts of `PARTS` rows are transposed and
added up together, at 2 ns a row. Orders depend on the number of columns alone.
"""

from numpy import float64

from fastgrad.kernels.codegen.body import fused_multiply_add, local_array, pack_panel, scalar_function
from fastgrad.kernels.math.vector_math import greatest, least

PARTS = 16  # of a row, and rows whose parts are combined together
SEGMENT = 1024  # columns whose sums are added up before they go to a float64 total
FIRST_CACHE = 4096  # elements of an array that stay in it


@scalar_function
def rows_together(columns):
    """How many rows, which are read several times, are done at once."""
    return least(PARTS, greatest(FIRST_CACHE // greatest(columns, 1), 1))


@scalar_function
def clear(totals):
    """Sets a total for each row to 0."""
    for k in range(PARTS):
        totals[k] = float64(0)


@scalar_function
def add_parts(parts, rows, across, totals):
    """Adds to the totals of rows the sums of their parts.

    Args:
        parts: those of row k from `PARTS` k on.
        rows: at most `PARTS`.
        across: memory for as many elements as parts has.
        totals: float64.
    """
    pack_panel(parts, 0, 1, PARTS, across, PARTS, PARTS, rows)
    for i in range(1, PARTS):
        for k in range(PARTS):
            across[k] += across[PARTS * i + k]
    for k in range(PARTS):
        totals[k] += float64(across[k])


@scalar_function
def greatest_parts(parts, rows, across, peaks):
    """Sets the peaks of rows, an array of T, to the greatest of their parts; NaN may be passed over."""
    if rows < PARTS:  # the others are compared, too, and their peaks not used
        for i in range(PARTS * PARTS):
            across[i] = T(0)
    pack_panel(parts, 0, 1, PARTS, across, PARTS, PARTS, rows)
    for i in range(1, PARTS):
        for k in range(PARTS):
            across[k] = greatest(across[PARTS * i + k], across[k])
    for k in range(PARTS):
        peaks[k] = across[k]


@scalar_function
def sums_of(x, top, rows, columns, parts, across, totals):
    """The sums of the rows from `top` on of a matrix, to totals."""
    part = local_array(T, 16)
    whole = columns // PARTS * PARTS
    clear(totals)
    for left in range(0, columns, SEGMENT):
        right = least(whole, left + SEGMENT)
        for k in range(rows):
            at = (top + k) * columns
            for i in range(PARTS):
                part[i] = T(0)
            for c in range(left, right, PARTS):
                for i in range(PARTS):
                    part[i] += x[at + c + i]
            if left + SEGMENT >= columns:
                for i in range(columns - whole):
                    part[i] += x[at + whole + i]
            for i in range(PARTS):
                parts[PARTS * k + i] = part[i]
        add_parts(parts, rows, across, totals)


@scalar_function
def distance_sums_of(x, centres, top, rows, columns, parts, across, totals):
    """The sums of what the elements of row k are above centres[k], likewise."""
    part = local_array(T, 16)
    whole = columns // PARTS * PARTS
    clear(totals)
    for left in range(0, columns, SEGMENT):
        right = least(whole, left + SEGMENT)
        for k in range(rows):
            at = (top + k) * columns
            centre = centres[k]
            for i in range(PARTS):
                part[i] = T(0)
            for c in range(left, right, PARTS):
                for i in range(PARTS):
                    part[i] += x[at + c + i] - centre
            if left + SEGMENT >= columns:
                for i in range(columns - whole):
                    part[i] += x[at + whole + i] - centre
            for i in range(PARTS):
                parts[PARTS * k + i] = part[i]
        add_parts(parts, rows, across, totals)


@scalar_function
def square_sums_of(x, centres, top, rows, columns, parts, across, totals):
    """The sums of the squares of what the elements of row k are above centres[k], likewise."""
    part = local_array(T, 16)
    whole = columns // PARTS * PARTS
    clear(totals)
    for left in range(0, columns, SEGMENT):
        right = least(whole, left + SEGMENT)
        for k in range(rows):
            at = (top + k) * columns
            centre = centres[k]
            for i in range(PARTS):
                part[i] = T(0)
            for c in range(left, right, PARTS):
                for i in range(PARTS):
                    d = x[at + c + i] - centre
                    part[i] = fused_multiply_add(d, d, part[i])
            if left + SEGMENT >= columns:
                for i in range(columns - whole):
                    d = x[at + whole + i] - centre
                    part[i] = fused_multiply_add(d, d, part[i])
            for i in range(PARTS):
                parts[PARTS * k + i] = part[i]
        add_parts(parts, rows, across, totals)


@scalar_function
def last_columns(x, top, rows, columns, tails):
    """Copies the columns of some rows behind the last whole `PARTS`: those of row k to tails[PARTS k] and on."""
    whole = columns // PARTS * PARTS
    if whole < columns:
        pack_panel(x, top * columns + whole, columns, 1, tails, PARTS, rows, columns - whole)


@scalar_function
def product_sums_of(x, y, top, rows, columns, last_x, last_y, parts, across, totals):
    """The sums of x * y in the rows from `top` on of two matrices, to totals; `last_x` and `last_y` are to work in."""
    part = local_array(T, 16)
    whole = columns // PARTS * PARTS
    last_columns(x, top, rows, columns, last_x)
    last_columns(y, top, rows, columns, last_y)
    clear(totals)
    for left in range(0, columns, SEGMENT):
        right = least(whole, left + SEGMENT)
        for k in range(rows):
            at = (top + k) * columns
            for i in range(PARTS):
                part[i] = T(0)
            for c in range(left, right, PARTS):
                for i in range(PARTS):
                    part[i] = fused_multiply_add(x[at + c + i], y[at + c + i], part[i])
            if left + SEGMENT >= columns and whole < columns:
                for i in range(PARTS):
                    product = fused_multiply_add(last_x[PARTS * k + i], last_y[PARTS * k + i], part[i])
                    part[i] = product if i < columns - whole else part[i]
            for i in range(PARTS):
                parts[PARTS * k + i] = part[i]
        add_parts(parts, rows, across, totals)
