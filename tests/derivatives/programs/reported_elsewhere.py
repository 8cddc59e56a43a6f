"""Programs that Enzyme, Clad, Slang, Swift and others differentiated wrongly, by the numbers under which GitHub has the reports."""

import math

import numpy as np
from numba import njit

from tests.derivatives.table import A, B, P, V, X, program


@njit
def set_element(array, i, value):
    array[i] = value


inverse_square = njit(lambda params: 1.0 / (params[0] * params[0]))


@njit
def filtered(x, n):
    a, b, c = 0.0, 0.0, 0.0
    for i in range(n):
        w = math.exp(-x[i] * x[0])
        a += w * x[i]
        b += w
        c = c * w + x[i]
    return a / b, b, c


@njit
def recursive(x, i):
    if i < 0:
        return np.zeros(2), 1.0
    state, scale = recursive(x, i - 1)
    new = np.empty(2)
    new[0] = state[0] * scale + x[i]
    new[1] = state[1] + x[i] * x[i]
    return new, scale * x[i]


@program((1.3, 3), (1.3, 1))
def divisor_inline_in_a_loop(a, n):
    """Clad 1865: s += 1 / (x + a * a)."""
    s = 0.0
    for i in range(n):
        x = i + 1.0
        s += 1.0 / (x + a * a)
    return s


@program((3.0, 5.0))
def result_assigned_by_the_loop_head(i, j):
    """Clad 746: the loop's condition assigns the result."""
    result = 0.0
    c = 0
    while True:
        result = i * j + result * 0.1
        if c == 1:
            break
        c += 1
    return result


@program((0.3, 1.4))
def loop_variable_is_a_float(lower, upper):
    """Clad 474: the bounds of an integral start and end the loop."""
    n = 8
    interval = (upper - lower) / n
    total = 0.0
    x = lower
    while x < upper - 0.5 * interval:
        total += x * x * interval
        x += interval
    return total


@program((3.0, 5.0))
def break_in_the_first_iteration(u, v):
    """Clad 710, 833, 851: the index is one step too far after `break` or `continue`."""
    result = 0.0
    for i in range(1, 3):
        result += i * u * v
        if i == 1:
            break
    for i in range(1, 4):
        if i == 2:
            continue
        result += i * v * u
    return result


@program(2.0)
def break_that_is_never_reached(x):
    """Clad 1019: `break` in a loop over an array of the argument."""
    a = np.array([x, x * x])
    total = 0.0
    for value in a:
        if value < 0.0:
            break
        total += value * x
    return total


@program(np.array([2.0, 0.5]))
def loop_of_one_iteration_around_a_repacked_array(params):
    """Clad 635: a loop of one iteration with a new array in it."""
    out = 0.0
    for _ in range(1):
        repacked = np.array([params[0]])
        out = out + inverse_square(repacked)
    return out


@program((3.0, 5.0))
def element_passed_to_a_helper_that_writes_it(i, j):
    """Clad 441: modify(arr[k], i) in a loop."""
    array = np.zeros(5)
    for k in range(5):
        set_element(array, k, i * (k + j))
    return (array * array).sum()


@program((0.4, X), (0.4, X[:3]), (0.4, X[:1]))
def bernstein_polynomial(x, coefficients):
    """Clad 927: branches by the degree, loops of floats, products."""
    degree = len(coefficients) - 1
    if degree == 0:
        return coefficients[0] * x
    if degree == 2:
        c1 = 2.0 * (coefficients[1] - coefficients[0])
        c2 = coefficients[2] - c1 - coefficients[0]
        return (c2 * x + c1) * x + coefficients[0]
    t = x
    s = 1.0 - x
    result = coefficients[0] * s
    binomial = float(degree)
    for i in range(1, degree):
        result = (result + t * binomial * coefficients[i]) * s
        t *= x
        binomial = binomial * (degree - i) / (i + 1)
    return result + t * coefficients[degree]


@program((X, 0), (X, 3))
def statements_after_a_loop_with_a_return(x, index):
    """Slang 6394: the reverse pass left out what follows a loop that may return."""
    for _ in range(1):
        if index > 5:
            return x[1]
        x[1] = x[1] * x[0]
    return x[index] * x[1]


@program((A, V, P[:3]))
def dense_layers_of_nested_loops(w, x, b):
    """Slang 13000: the gradient of a layer's input, by two nested loops."""
    for _ in range(2):
        y = np.empty(3)
        for i in range(3):
            total = b[i]
            for j in range(3):
                total += w[i, j] * x[j]
            y[i] = math.tanh(total)
        x = y
    return x[0] * x[1] + x[2]


@program((X, 4), (X, 1))
def loop_with_three_results(x, n):
    """Slangpy 1055: a function with a loop that returns a vector."""
    a, b, c = filtered(x, n)
    return a * b + c * a


@program(1.3)
def repeat_while(x):
    """Swift 78264: a loop that tests its condition at the end."""
    result = 1.0
    i = 0
    while True:
        result = result * x
        i += 1
        if i >= 3:
            break
    return result


@program(np.array([0.4, 0.9, 1.3]))
def product_with_an_early_exit(x):
    """Yota 126: a product that stops at zero."""
    p = 1.0
    for value in x:
        p = p * value
        if p == 0.0:
            break
    return p


@program((0.3, X[:3], 4))
def vector_rebuilt_from_its_own_components(h, x, n):
    """Quadrants 797: a vector that each iteration makes from the one before."""
    v = (x[0], x[1], x[2])
    for _ in range(n):
        v = (v[0] + h * v[1] * v[2], v[1] - h * v[0] * v[2], v[2] * v[0])
    return v[0] * v[1] + v[2]


@program((1.0, np.array([1.0, 0.5])))
def argument_rebound_in_a_loop(x, params):
    """Enzyme.jl 701: x is replaced by cos(x + p) in a loop."""
    for i in range(len(params)):
        x = math.cos(x + params[i])
    return x


@program((X, np.array([1, 2, 3, 4])))
def constant_copied_into_a_work_array(u, initial):
    """Enzyme.jl 2868: the reverse pass changed a constant that the program had copied."""
    work = np.zeros(4)
    work[:] = initial
    work *= u
    work *= u
    return work.prod() + work.sum()


@program((X, 3), (X, 0))
def recursion_with_an_array_and_a_float(x, i):
    """Enzyme.jl 2873: a recursive function that returns an array and a number."""
    state, scale = recursive(x, i)
    return state[0] * state[1] + scale


@program(V)
def array_and_number_made_in_each_iteration(x):
    """Enzyme.jl 3477: all iterations shared one allocation."""
    total = 0.0
    for i in range(4):
        made = ((i + 1.0) * x.copy(), i)
        made[0][0] = made[0][0] * made[0][1]
        total += made[0].sum() * (made[1] + 1)
    return total


@program((A, V))
def least_by_an_update(a, v):
    """Enzyme 2002: `if value <= least: least = value`."""
    least = v.copy()
    for i in range(3):
        for j in range(3):
            value = a[i, j] * v[j]
            if value <= least[i]:
                least[i] = value
    return (least * least).sum() + least[0]


@program((A, V))
def greatest_by_an_update_of_a_local(faces, start):
    """Enzyme 2708: a local holds the value that the maximum is updated with."""
    greatest = start.copy()
    for i in range(3):
        for c in range(3):
            f = faces[i, c] * 2.0
            greatest[c] = max(greatest[c], f)
    return (greatest * greatest * faces[0]).sum()


@program(np.array([0.4, 0.9, -0.3]))
def buffer_captured_by_a_closure(x):
    """Enzyme.jl 3124: a closure writes a buffer that has another name."""
    buffer = np.zeros(3)
    other = buffer

    def fill(scale):
        for i in range(3):
            other[i] = x[i] * scale

    fill(2.0)
    return (buffer * buffer).sum()


@program(0.3, 2.7)
def while_loop_with_a_stencil(x):
    """Reactant.jl 1406: the derivative of a `while` loop over a field."""
    u = np.full(5, x)
    u[2] = x * x
    n = 0
    while n < 3:
        u[1:-1] = u[1:-1] + 0.1 * (u[2:] - 2.0 * u[1:-1] + u[:-2]) * u[1:-1]
        n += 1
    return (u * u).sum()


@program((A, B))
def dot_of_rows(x, y):
    """Tangent 62: a dot product of two rows."""
    return np.dot(x[0, :], y[0, :]) * np.dot(x[1], y[2])


@program((1.3, 0.7, 2.1, 0.4))
def augmented_assignment_of_the_result(w, h, b, e):
    """Tangent 64: a result that is used after `+=`."""
    out = w / h * (b * (1.0 - e) + h * e)
    power = w * e * (b - h) * 1.4
    out += b / w * out
    power += out * e * (b - out)
    return power / out


@program(V)
def chart_of_dynamic_programming(y):
    """HIPS autograd 13: a chart whose cell is summed again and again."""
    x = np.zeros((1, 1))
    for i in range(3):
        x[0, 0] = np.sum(np.array([y[i] * y[i], x[0, 0]]))
    for i in range(3):
        x[0, 0] = np.max(np.array([y[i], x[0, 0]]))
    return x[0, 0]


@program((A, P[:3]))
def maximum_with_zero(positions, size):
    """Slang 9267: `max(q, 0)` in the distance to a box."""
    total = 0.0
    for i in range(3):
        s = 0.0
        for j in range(3):
            exceed = abs(positions[i, j]) - size[j]
            s += max(exceed, 0.0) ** 2
        total += math.sqrt(s + 1e-4)
    return total
