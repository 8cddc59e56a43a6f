"""Programs that NVIDIA Warp and Taichi differentiated wrongly, by the numbers under which GitHub has the reports."""

import math

import numpy as np
from numba import njit

from tests.derivatives.table import A, B, N, P, V, X, Y, program


@njit
def weighted_sum(a, weight, c, p):
    summ = 0.0
    for j in range(p + 1):
        summ = summ + weight[j] * a[j]
    summ = summ * c[0]
    return summ


@program((X, P, np.array([1.2]), 3), (X, P, np.array([1.2]), 0))
def loop_of_a_computed_size(a, weight, c, p):
    """Warp 140: the accumulator of a loop is used after it."""
    return weighted_sum(a, weight, c, p) ** 2


@program((A, B, V))
def matrix_of_two_products(a, b, v):
    """Warp 168: one product overwrote the cotangent of another."""
    return ((a @ b) * (a @ a)).sum() + ((a @ v) ** 2).sum()


@program((0.7, 3), (0.7, 20))
def variable_overwritten_in_a_loop(x, n):
    """Warp 174: the reverse pass skipped the loop."""
    y = x
    for _ in range(n):
        y = math.sin(y) + x
    return y * y


@program(X)
def components_of_elements(x):
    """Warp 248, 583, 1451: writes to one component of an element of an array."""
    y = np.zeros((4, 3))
    for i in range(4):
        y[i][0] = x[i] * 2.0
        y[i][1] = x[i] * y[i][0]
        y[i][2] += y[i][1] * x[i]
    return (y * y).sum()


@program((A, np.array([0.4, 1.3, 0.2]), np.array([2.0, 2.1, 1.9]), V))
def periodic_tridiagonal_solve(x, lower, diagonal, upper):
    """Warp 342: division in place."""
    q = np.zeros(3)
    x[0] /= diagonal[0]
    q[0] = -lower[0] / diagonal[0]
    for i in range(1, 3):
        p = 1.0 / (diagonal[i] + upper[i] * q[i - 1])
        q[i] = -lower[i] * p
        x[i] = (x[i] - upper[i] * x[i - 1]) * p
    for i in range(1, -1, -1):
        x[i] = x[i] + q[i] * x[i + 1]
    return (x * x).sum()


@program((X, Y))
def overwritten_after_it_was_squared(a, c):
    """Warp 355: b is the square of a, then c overwrites a."""
    b = a * a
    a[:] = c
    return (b * a).sum() + a[0]


@program((X, 3))
def copies_of_one_array(x, n):
    """Warp 717: several copies of an array, each changed by two steps."""
    total = np.zeros(4)
    for i in range(n):
        y = x.copy()
        y = y * 2.0
        y *= x * (i + 1)
        total += y
    return (total * total).sum() / n


@njit
def reciprocal_of_a_loop(x, n, start):
    total = start
    for i in range(n):
        total += x[i] * x[i]
    return 1.0 / total


@program((X, 3, 0.5), (X, 0, 0.5), (X, 4, 2.0))
def nonlinear_function_of_an_accumulator(x, n, start):
    """Warp 729, 1740, 1754: the function saw the accumulator's first value."""
    return reciprocal_of_a_loop(x, n, start) * x[0]


@program((1.3, P))
def scalar_divided_by_an_array(s, p):
    """Warp 831: the derivative of a quotient with an array as the divisor."""
    return (s / p).sum() + (s / (p * p)).sum() * p[1]


@program((X, np.array([1.5])))
def factor_changed_after_it_was_read(x, b):
    """Warp 947: a read, then an addition to what was read."""
    loss = x[1] * b[0]
    b[0] += 100.0
    return loss


@program((X, np.array([1.5])))
def factor_multiplied_after_it_was_read(x, b):
    """Warp 947, Newton 4103: a read, then a product in place."""
    loss = x[1] * b[0]
    b[0] *= x[2]
    return loss * b[0]


@program((X, Y))
def two_writes_of_one_output(x, y):
    """Warp 1062: only the last write counts."""
    out = np.zeros(4)
    for i in range(4):
        out[i] = x[i] * x[i] * 2.0
    first = out[1]
    for i in range(4):
        out[i] = y[i] * y[i]
    return out.sum() * first


@program((A, N, np.array([0, 2, 5])))
def nested_loops_of_dynamic_bounds(a, items, starts):
    """Warp 1293: two nested loops whose bounds are read from arrays."""
    total = 1.0
    for b in range(2):
        q = a[b, 0]
        for i in range(starts[b], starts[b + 1]):
            p = a[b, 1] * q
            for k in range(items[i]):
                q = q * math.cos(p * 0.3) + a[k % 3, 2]
            total += p * q
    return total


@program(X)
def array_read_and_written_by_one_statement(x):
    """Warp 1294, A: arr[i] = arr[i] + 1."""
    for i in range(4):
        x[i] = x[i] + 1.0
    for i in range(4):
        x[i] = x[i] * x[i]
    return x.sum()


@program((X, 3))
def work_array_reused_over_steps(x, n):
    """Warp 1294, B; Warp 249: one work array for all steps."""
    work = np.zeros(4)
    for _ in range(n):
        work[:] = 0.0
        for i in range(4):
            work[i] += x[i] * x[i - 1]
        x = x + 0.1 * work
    return (x * x).sum()


@program((3.0, 5.0))
def operand_overwritten_before_the_reverse_pass(x, new):
    """Warp 1350: the reverse pass read the array's last values."""
    a = np.array([x])
    y = a[0] * a[0]
    a[0] = new
    return y + 0.0 * a[0]


@program((3.0, 5.0))
def phantom_coupling(field, x):
    """Warp 1350: a factor that was zero when it was read."""
    a = np.array([0.0])
    y = a[0] * x
    a[0] = field
    return y + field


@program(X)
def sign_of_an_array(x):
    """Warp 1466: `sign` had the derivative of `abs`."""
    return (np.sign(x) * x).sum() + np.sign(x).sum()


@program((A, B, 0.1))
def advection(u, v, dt):
    """Warp 1472: advection of each component by the other."""
    a = u.copy()
    for i in range(3):
        for j in range(3):
            ux = 0.5 * (u[(i + 1) % 3, j] - u[i - 1, j])
            uy = 0.5 * (u[i, (j + 1) % 3] - u[i, j - 1])
            a[i, j] = u[i, j] - dt * (u[i, j] * ux + v[i, j] * uy)
    return (a * a * v).sum()


@program((X, P[:3], np.array([1, 3, 1])))
def read_through_an_index_array(x, weights, ids):
    """Warp 1479: a gather of samples."""
    total = 0.0
    samples = x[ids]
    for i in range(3):
        total += samples[i] * weights[i] * samples[i]
    return total


@program((A, 0.9), (B, 0.9))
def maximum_with_continue(c, x):
    """Warp 1552: the maximum was taken to be of the last iteration."""
    largest = -1e20
    for p in range(3):
        for q in range(3):
            if c[p, q] < 0.3:
                continue
            v = x * x * c[p, q] * (p + q + 2.0)
            if v <= largest:
                continue
            largest = v
    return largest


@program((1.3, X, 3), (1.3, X, 0))
def value_from_before_a_loop_used_after_it(x, s, n):
    """Warp 1694: the derivative past a loop of dynamic bound was zero."""
    area = x * x
    total = 0.0
    for k in range(n):
        total += s[k] * s[k]
    return area * total + area


@program((X, 4))
def matrix_element_plus_itself(x, n):
    """Warp 1697: m[0, 0] = m[0, 0] + x doubled each earlier write."""
    m = np.zeros((2, 2))
    for i in range(n):
        m[0, 0] = m[0, 0] + x[i]
        m[1, 1] = m[0, 0] * x[i] + m[1, 1]
    return m[0, 0] * m[1, 1]


@program((X, P, True), (X, P, False))
def conditional_expression_reads_one_array_twice(a, term, flag):
    """Warp 1736: both branches read the same element."""
    total = 0.0
    for i in range(4):
        total += a[i] / term[i] if flag else a[i]
    return total * total


@program((X, Y, 3))
def values_exchanged_with_a_slot(x, y, n):
    """Warp 790: a slot gives its old value for a new one."""
    slot = x[0]
    total = 0.0
    for i in range(n):
        old = slot
        slot = x[i] * y[i]
        total += old * y[i + 1]
    return total * slot


@program(A)
def rows_of_rows(a):
    """Warp 158: a[i][j] in place of a[i, j]."""
    total = 0.0
    for i in range(3):
        for j in range(3):
            total += a[i][j] * a[j][0]
    return total


@program(1.3, -0.7)
def local_is_an_alias_at_first(a):
    """Warp 202: b = a, then b is set again by a branch."""
    b = a
    if b > 0.0:
        b = a * a
    else:
        b = a * a * a
    return b * a


@program(X)
def local_is_an_alias_of_an_element(a):
    """Warp 202: two names for one element's value."""
    total = 0.0
    for i in range(4):
        ai = a[i]
        bi = ai
        ai = ai * 2.0
        total += ai * bi
    return total


@program(X)
def elements_of_a_local_array_assigned(x):
    """Warp 680, 1232: an element of a local array is set, and set again."""
    a = np.zeros(8)
    for j in range(4):
        a[j] = x[j]
        a[j + 4] = a[j] * x[j]
        a[j] = a[j + 4] * 0.5
    return (a * a).sum()


@program((A, V))
def closest_distance(path, place):
    """Taichi 571: the least distance to a path."""
    least = 1e9
    for i in range(3):
        d = math.sqrt((place[0] - path[i, 0]) ** 2 + (place[1] - path[i, 1]) ** 2)
        if least > d:
            least = d
    return (0.01 - least) ** 2


@program((0.3, 10))
def doubled_in_a_loop(p, n):
    """Taichi 581, 602: p += p."""
    for _ in range(n):
        p += p
    return p * p * 1e-3


@program(0.0, 3.0, -0.5)
def reciprocal_in_a_branch(x):
    """Taichi 1367: a quotient that was moved out of its branch gave NaN."""
    y = x
    if x > 1.0:
        y = 1.0 / x
    return y * y


@program(X[:2])
def cosine_of_a_sum_in_an_element(x):
    """Taichi 1746: y[0] = cos(y[0]) after a sum."""
    y = np.zeros(1)
    for _ in range(1):
        for i in range(2):
            y[0] += x[i]
        y[0] = math.cos(y[0])
    return y[0]


@program((1.3, 0.7))
def through_an_array_that_is_not_an_argument(x, gravitation):
    """Taichi 1966: an array between two kernels had no gradient."""
    acceleration = np.zeros(2)
    r = max(math.sqrt(x * x + 1.0), 0.1)
    acceleration[0] = gravitation / (r * r * r) * x
    acceleration[1] = gravitation / r
    return acceleration[0] * 0.3 + acceleration[1] * 0.9


@program(1.3)
def branches_always_and_never_taken(x):
    """Taichi 2312: a branch that is always taken around one that never is."""
    loss = 0.0
    if x > x - 1.0:
        m = x
        if x < x - 1.0:
            m = x * 2.0
        loss = m * m
    return loss


@program((P, 0.9), (P, 20.0))
def compositing_along_a_ray(p, threshold):
    """Taichi 2387: a state that is overwritten, and `break`."""
    color, alpha = 0.0, 0.0
    for step in range(8):
        sample = p[step % 4] * 0.2
        color = (1.0 - alpha) * sample * p[0] + color
        alpha = (1.0 - alpha) * sample + alpha
        if alpha > threshold:
            break
    return color * alpha


@program((X, 0.3))
def moving_average_of_an_array(x, a):
    """Taichi 2425: each element of the average depends on the one before."""
    y = np.zeros(5)
    for _ in range(1):
        for i in range(4):
            y[i + 1] = a * x[i] + (1.0 - a) * y[i]
    return (y * y).sum()


@program((np.array([0.8]), 0.4, True), (np.array([0.8]), 0.4, False))
def element_times_cosine(x, theta, trigger):
    """Taichi 2505: x = cos(theta) * x."""
    multiplier = 1.0
    if trigger:
        multiplier = x[0]
    x[0] = math.cos(theta) * multiplier
    return x[0] * x[0]


@program(X)
def fractional_parts(x):
    """Taichi 3802: floor and ceiling in branches."""
    total = 0.0
    for value in x:
        if value > 0.0:
            fraction = value - math.floor(value)
        else:
            fraction = value - math.ceil(value)
        total += fraction**2
    return total


@program(0.7)
def local_of_the_middle_loop(x):
    """Taichi 4038: a local that only the middle loop has."""
    loss = 0.0
    for a in range(2):
        for _ in range(3):
            s = 0.0
            for _ in range(3):
                s += math.sin(x + a)
            loss += s * s
    return loss


@program((X, N))
def branch_in_a_loop_reads_an_array(x, n):
    """Taichi 4226: a loop, a branch and a read together."""
    total = 0.0
    for i in range(4):
        value = 0.0
        for j in range(5):
            if n[j] == i:
                value = value + x[j % 4] * x[i]
        total += value * value
    return total


@program(X)
def local_added_five_times(a):
    """Taichi 4412: the derivative was 1 in place of 5."""
    f = np.zeros(4)
    for i in range(4):
        p = a[i]
        q = 0.0
        for _ in range(5):
            q += p
        f[i] = q
    return (f * f).sum()


@program(1.3)
def element_written_then_read(x):
    """Taichi 5284: a store that is forwarded to a load."""
    a, b = np.zeros(1), np.zeros(1)
    a[0] = 2.0 * x
    b[0] = a[0] + 1.0
    return b[0] * a[0]


@program(A[:2, :2].copy())
def polar_decomposition(a):
    """Taichi 5664: a polar decomposition of 2 by 2."""
    x, y = a[0, 0] + a[1, 1], a[1, 0] - a[0, 1]
    scale = 1.0 / math.sqrt(x * x + y * y)
    c, s = x * scale, y * scale
    r = np.array([[c, -s], [s, c]])
    m = np.ascontiguousarray(r.T) @ a
    return m[0, 0] * m[0, 1] + r[1, 0]


@program(np.array([0.1, 0.5]), np.array([0.02, 0.5]))
def collision(x):
    """Taichi 7103, 7115, 7116: a division by a local of the branch that is not taken."""
    impulse = np.zeros(2)
    if x[0] < 0.06:
        direction = (1.0 / x.sum()) * x
        impulse = 0.5 * direction
    return impulse[0] * impulse[1] + x[0]


@program((X, 3))
def loop_index_overwritten_and_continue(x, n):
    """Taichi 7771: an index that the body changes, `while` and `continue`."""
    total = 0.0
    for i in range(4):
        k = i
        while k < n:
            k += 1
            if k == 2:
                continue
            total = total * x[i] + x[k]
    return total


@program(X)
def continue_and_break_in_one_loop(x):
    """Taichi 1074: `continue` and `break` in a kernel."""
    total = 0.0
    for i in range(4):
        if x[i] < 0.0:
            continue
        total = total * x[i] + x[i]
        if total > 0.9:
            break
    return total * total


@program(1.3)
def two_loops_in_a_loop(x):
    """Taichi 3003, 3912: a loop that has two loops one after the other, and a statement between them."""
    y = 0.0
    for j in range(2):
        for i in range(3):
            y += x * i
        y = y * x
        for _ in range(3):
            y += x * x * j
    return y


@program(np.linspace(0.1, 0.9, 5))
def triangle_of_loops(x):
    """Taichi 7771: three nested loops, each bounded by the index outside."""
    loss = 0.0
    y = np.zeros(5)
    for i in range(5):
        value = 0.0
        for j in range(i):
            for k in range(j):
                value += x[j] * x[k]
        y[i] = value
    for i in range(5):
        loss += y[i] * y[i]
    return loss


@program(1.1)
def long_inner_loop(x):
    """Taichi 8027: an inner loop of 500 iterations."""
    total = 0.0
    for i in range(2):
        weight = 0.0
        for _ in range(100):
            weight = weight * 0.9 + x * i + 1.0
        total += weight * weight
    return total


@program((X, 3))
def steps_of_a_field(z, n):
    """Taichi 8119: z[t + 1] = z[t] + 2 theta."""
    theta = z[0] * z[1]
    for t in range(n):
        z[t + 1] = z[t] + theta * 2.0
    return abs(z[n] - 9.0)


@program((X, V))
def each_element_plus_all_elements_of_another(x, y):
    """Taichi 8356: x[i] += y[j]."""
    for i in range(4):
        for j in range(3):
            x[i] += y[j] * y[j]
    return (x * x).sum()


@program(X)
def sum_of_squares_into_an_element(x):
    """Taichi 8534: y[0] += x[i] ** 2."""
    y = np.zeros(1)
    for i in range(4):
        y[0] += x[i] ** 2
    return y[0] * y[0]


@program((V, 0.6))
def rotated_vector(v, theta):
    """Taichi 8498: the product of a matrix made of scalars and a vector."""
    r = np.array([[math.cos(theta), -math.sin(theta)], [math.sin(theta), math.cos(theta)]])
    w = r @ v[:2]
    return w[1] * w[0] + w[1]


@program((0.0045, 12))
def plasticity(theta, n):
    """Taichi 8802: reads epsp[i] and writes epsp[i + 1]."""
    strain = np.zeros(n + 1)
    total = 0.0
    for i in range(n):
        trial = 1000.0 * (theta * math.sin(2.0 * math.pi * (i + 0.3) / n) - strain[i])
        d = 0.0
        if abs(trial) > 2.0:
            d = (abs(trial) - 2.0) / 1000.0
            total += d
        strain[i + 1] = strain[i] + (d if trial > 0.0 else -d)
    return total * 100.0


@program((0.4, X), (2.5, X))
def power_of_a_constant_with_an_active_exponent(x, y):
    """Taichi 482: the derivative of a power by its exponent."""
    return math.pow(0.4, x) * (np.abs(y) ** x).sum()
