"""Overwriting: elements and variables that change after they were read, in-place arguments, aliases, swaps."""

import math

import numba
import numpy as np

from tests.derivatives.table import A, B, N, P, X, Y, program


@program(1.3)
def variable_overwritten(x):
    x = x * x
    x = math.sin(x)
    x = x * x
    return x


@program((1.3, 0.7))
def read_then_overwritten(x, y):
    z = x * y
    x = y * y
    return z * x


@program((1.3, 0.7))
def variables_swapped(x, y):
    x, y = y, x * y
    x, y = y, x
    return x * x + y


@program((1.3, 0.7))
def divided_by_a_value_that_is_overwritten(x, y):
    z = x / y
    y = z * x
    w = x / y
    return z * w + y


@program(1.3)
def used_before_and_after_the_overwrite(x):
    y = x
    x = x**3
    return y * x


@program(X)
def argument_squared_in_place(x):
    for i in range(len(x)):
        x[i] = x[i] * x[i]
    return x.sum()


@program(X)
def argument_squared_twice_in_place(x):
    for _ in range(2):
        for i in range(len(x)):
            x[i] = x[i] * x[i] - 0.5
    return x[0] * x[1] + x[2] * x[3]


@program((X, Y))
def argument_overwritten_by_another(x, y):
    a = x[0] * y[0]
    for i in range(4):
        x[i] = y[i]
    return a * x[0] + x[1] * x[2]


@program(X)
def argument_set_to_a_constant(x):
    a = x[1] * x[1]
    x[:] = 2.0
    return a * x[1]


@program(X)
def argument_filled(x):
    a = x[1] * x[2]
    x.fill(a)
    return x.sum() * x[0]


@program(X)
def element_overwritten_by_its_neighbour(x):
    for i in range(3):
        x[i] = x[i + 1] * x[i]
    return (x * x).sum()


@program(X)
def running_product_in_place(x):
    for i in range(1, 4):
        x[i] = x[i - 1] * x[i]
    return x.sum()


@program(X)
def one_element_read_and_written_many_times(x):
    y = np.zeros(1)
    for i in range(4):
        y[0] = y[0] * x[i] + math.sin(y[0] + x[i])
    return y[0]


@program(X)
def one_element_written_many_times_read_once(x):
    y = np.zeros(2)
    for i in range(4):
        y[0] = x[i] * x[i]
    return y[0]


@program(X)
def one_element_of_the_argument_many_times(x):
    for i in range(1, 4):
        x[0] = x[0] * x[i]
        x[0] = x[0] + x[0] * x[0]
    return x[0]


@program((X, Y))
def elements_swapped_by_a_tuple(x, y):
    for i in range(4):
        x[i], y[i] = y[i], x[i]
    return (x * x * y).sum()


@program((X, Y))
def elements_swapped_by_a_local(x, y):
    for i in range(4):
        t = x[i]
        x[i] = y[i]
        y[i] = t
    return (x * x * y).sum()


@program((X, Y, 1), (X, Y, 2), (X, Y, 5))
def two_arrays_swapped(x, y, n):
    for _ in range(n):
        for i in range(4):
            y[i] = x[i] * y[i] + 0.1 * i
        x, y = y, x
    return x[0] * y[1] + x[2] * y[3]


@program((X, 1), (X, 4))
def double_buffer(x, n):
    old, new = x.copy(), np.empty(4)
    for _ in range(n):
        for i in range(4):
            new[i] = 0.5 * old[i] + 0.25 * (old[i - 1] + old[(i + 1) % 4]) * old[i]
        old, new = new, old
    return (old * old).sum()


@program((X, 3))
def double_buffer_of_the_arguments(x, n):
    y = np.zeros(4)
    for step in range(n):
        if step % 2 == 0:
            for i in range(4):
                y[i] = math.sin(x[i] + x[i - 1])
        else:
            for i in range(4):
                x[i] = y[i] * y[i - 1]
    return x.sum() + y.sum()


@program(X)
def reversed_in_place(x):
    i, j = 0, 3
    while i < j:
        x[i], x[j] = x[j], x[i]
        i, j = i + 1, j - 1
    return x[0] + 2.0 * x[1] ** 2 + 3.0 * x[2] ** 3 + 4.0 * x[3] ** 4


@program(X)
def bubble_sort(x):
    for i in range(4):
        for j in range(3 - i):
            if x[j] > x[j + 1]:
                x[j], x[j + 1] = x[j + 1], x[j]
    return x[0] + 2.0 * x[1] ** 2 + 3.0 * x[2] ** 3 + 4.0 * x[3] ** 4


@program(X)
def alias_of_a_whole_array(x):
    y = x
    y[0] = y[1] * y[2]
    return x[0] * x[3] + y[0]


@program(X)
def views_that_overlap(x):
    a = x[:3]
    b = x[1:]
    for i in range(3):
        a[i] = b[i] * a[i]
    return (x * x).sum()


@program(X)
def views_that_overlap_backwards(x):
    a = x[:3]
    b = x[1:]
    for i in range(2, -1, -1):
        b[i] = a[i] * b[i]
    return (x * x).sum()


@program(X)
def array_written_through_a_view_read_by_its_name(x):
    y = x * 2.0
    v = y[1:3]
    v[0] = v[1] * v[1]
    return y[1] * y[0]


@program(X)
def array_written_by_its_name_read_through_a_view(x):
    y = x * 2.0
    v = y[1:3]
    y[1] = y[0] * y[3]
    return v[0] * v[1]


@program(X)
def overlapping_slices_copied(x):
    x[1:] = x[:-1].copy()
    return (x * x * x).sum()


@program(X)
def overlapping_slices_assigned(x):
    x[:-1] = x[1:] * x[:-1]
    return (x * x).sum()


@program(A)
def matrix_transposed_in_place(a):
    for i in range(3):
        for j in range(i):
            a[i, j], a[j, i] = a[j, i], a[i, j]
    return a[0, 1] * a[0, 1] + a[2, 0] * 3.0 + a[1, 2] ** 3


@program(A)
def alias_of_the_transpose(a):
    t = a.T
    for i in range(3):
        for j in range(3):
            t[i, j] = t[i, j] * a[i, j]
    return a[0, 1] + 2.0 * a[1, 0] + a[2, 2] ** 2


@program((A, B))
def rows_overwritten(a, b):
    for i in range(3):
        a[i] = a[i] * b[i] + a[(i + 1) % 3]
    return (a * a).sum()


@program((A, 0), (A, 2))
def row_swapped(a, k):
    row = a[k].copy()
    a[k] = a[1]
    a[1] = row
    return a[0, 0] * a[1, 1] * a[2, 2] + a[k, 1]


@program(A)
def gaussian_elimination_in_place(a):
    determinant = 1.0
    for k in range(3):
        determinant *= a[k, k]
        for i in range(k + 1, 3):
            factor = a[i, k] / a[k, k]
            for j in range(k, 3):
                a[i, j] -= factor * a[k, j]
    return determinant


@program(A)
def division_by_the_element_that_is_overwritten(a):
    for i in range(3):
        for j in range(3):
            a[i, j] = a[i, j] / a[i, i]
    return a[0, 1] * a[1, 2] + a[2, 0]


@program(P)
def normalised_in_place(p):
    p /= p.sum()
    return (p * p * p).sum()


@program(X)
def local_overwritten_in_a_loop(x):
    y = x.copy()
    for i in range(4):
        t = y[i]
        t = t * t
        y[i] = t + y[3 - i]
        t = 0.0
    return (y * x).sum()


@program((X, Y))
def written_before_it_is_read(x, y):
    y[0] = x[0] * x[0]
    y[1] = y[0] * y[2]
    return y[1] + y[0]


@program((X, Y))
def written_and_never_read(x, y):
    y[0] = x[0] * x[0]
    y[1] = x[2]
    return y[2] * x[1] + y[3]


@program((X, N))
def element_chosen_by_an_index_that_changes(x, n):
    k = 0
    for i in range(5):
        k = n[(k + i) % 5]
        x[k] = x[k] * x[(k + 1) % 4]
    return x.sum()


@program((X, N))
def index_array_overwritten(x, n):
    total = 0.0
    for i in range(5):
        j = n[i]
        n[i] = (j + 1) % 4
        x[n[i]] = x[n[i]] + x[j] * x[j]
    for i in range(5):
        total += x[n[i]] * i
    return total


@program((X, N))
def scattered_with_repeated_indices(x, n):
    y = np.zeros(4)
    for i in range(5):
        y[n[i]] = x[n[i]] * i + y[n[i - 1]]
    return (y * y).sum()


@program((X, 1), (X, 3))
def ring_buffer(x, n):
    ring = np.zeros(3)
    total = 0.0
    for i in range(4 * n):
        total += ring[i % 3] * x[i % 4]
        ring[i % 3] = x[i % 4] + 0.5 * total
    return total


@program(X)
def stack_of_an_array(x):
    stack = np.empty(8)
    top = 0
    for i in range(4):
        stack[top] = x[i]
        top += 1
        if top > 1 and i % 2 == 1:
            top -= 1
            stack[top - 1] = stack[top - 1] * stack[top]
    return stack[0] + stack[1] * stack[0]


@program((X, 2), (X, 3))
def whole_array_replaced_in_a_loop(x, n):
    y = x
    for _ in range(n):
        y = np.sin(y) * x
    return y.sum()


@program(X)
def array_variable_rebound_after_a_view(x):
    y = x * x
    v = y[:2]
    y = np.ones(4)
    y[0] = 5.0
    return v[0] * v[1] * y[0] + y[1]


@program(1.3)
def local_array_in_place_of_a_scalar(x):
    y = np.array([x, x * x])
    y[0] = y[0] * y[1]
    y[1] = y[0] + x
    y[0] = y[1] * y[1]
    return y[0]


@program(X)
def in_place_ufunc_output(x):
    y = np.empty(4)
    np.multiply(x, x, y)
    np.sin(y, y)
    return (y * x).sum()


@program((X, Y))
def all_in_place_operators(x, y):
    x += y
    x *= x
    x -= y * 0.5
    x /= y
    return x.sum()


@program((P, 2.0))
def power_in_place(p, e):
    p **= e
    p **= 2
    return p.sum()


@program((X, 1.7))
def scalar_operators_in_place(x, s):
    s += x[0]
    s *= s
    s -= x[1] * s
    s /= x[3]
    s **= 2
    return s


@program(X)
def prefix_sums_overwrite_their_input(x):
    for i in range(1, 4):
        x[i] += x[i - 1]
    for i in range(2, -1, -1):
        x[i] *= x[i + 1]
    return x[0]


@program((X, 3))
def wave_of_three_time_levels(x, n):
    u = np.zeros((3, 4))
    u[0] = x
    u[1] = x * 0.9
    for k in range(n):
        old, now, new = k % 3, (k + 1) % 3, (k + 2) % 3
        for i in range(4):
            u[new, i] = 2 * u[now, i] - u[old, i] + 0.1 * u[now, i - 1] * u[now, i]
    return (u[(n + 1) % 3] ** 2).sum()


@program(X)
def rebound_array_that_is_written(x):
    y = x
    for _ in range(3):
        y = y * x + 1.0
        y[0] = y[1]
    return y.sum()


@program(X)
def three_time_levels(x):
    now, before = x * 1.0, x
    for _ in range(4):
        after = np.zeros(4)
        for i in range(4):
            after[i] = 0.5 * now[i] * now[i - 1] - 0.3 * before[i]
        before, now = now, after
        before[0] = now[1] * x[2]
    return (before * now).sum()


@numba.njit
def part_or_product(x, i):
    if i == 0:
        return x[0], x
    return x[1] * 2.0, x * 2.0


@program(X)
def helper_that_returns_its_argument_or_a_new_array(x):
    total = 0.0
    for i in range(3):
        number, array = part_or_product(x, i)
        total += number * array[i]
    return total


@program(X, refused=True)
def written_by_two_names(x):
    y, z = x * 1.0, x
    z = y
    for k in range(2):
        y[0] += z[1] * z[0]
        if k == 0:
            z = x * 2.0
    return y.sum() + z.sum()


@program(X, refused=True)
def views_that_overlap_exchanged_in_a_loop(x):
    y, z = x[1:], x[:3]
    for _ in range(3):
        y[0] = z[0] * z[1]
        y, z = z, y
    return y.sum() * x.sum()


@program(X, refused=True)
def sum_written_to_what_may_be_its_operand(x):
    y = x if x[0] > 0.0 else x * 2.0
    np.add(y[:-1], 1.0, x[1:])
    return (x * x).sum()
