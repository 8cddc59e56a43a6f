"""Branches: statements, conditional expressions, short circuits, locals that only some branches assign."""

import math

import numpy as np

from tests.derivatives.table import P, X, Y, formula, program


@program(1.3, -0.4)
def if_else(x):
    if x > 0.0:
        y = x * x
    else:
        y = math.exp(x)
    return y * 2.0


@program(1.3, -0.4)
def if_alone(x):
    y = x * 3.0
    if x > 0.0:
        y = y * x
    return y


@program(-2.5, -0.4, 0.3, 4.0)
def elif_chain(x):
    if x < -1.0:
        y = -x
    elif x < 0.0:
        y = x * x
    elif x < 1.0:
        y = x**3
    else:
        y = math.log(x)
    return y + x


@program((1.3, 0.2), (-0.4, 0.7), (0.5, -2.0), (-0.5, -2.0))
def nested_branches(x, y):
    if x > 0.0:
        if y > 0.0:
            z = x * y
        else:
            z = x - y * y
    elif y > 0.0:
        z = math.sin(y)
    else:
        z = x * x * y
    return z


formula("conditional_expression", lambda x: x * x if x > 0.0 else -3.0 * x, 1.3, -0.4)


@program(1.3, -0.4, -1.7)
def nested_conditional_expressions(x):
    return x * x if x > 0.0 else (x if x > -1.0 else math.exp(x))


formula("conditional_expression_as_an_operand", lambda x, y: 2.0 * (x if x > y else y) * y, (1.3, 0.2), (0.2, 1.3))


@program((1.3, 0.2), (-0.4, 0.7), (-0.4, -0.7))
def short_circuit_and(x, y):
    if x > 0.0 and y > 0.0:
        return x * y
    return x - y


@program((1.3, 0.2), (-0.4, 0.7), (-0.4, -0.7))
def short_circuit_or(x, y):
    if x > 0.0 or y > 0.0:
        return x * y
    return x - y


@program((4.0, 0.0), (4.0, 2.0), gradient=((8.0, 0.0), (0.5, -1.0)))
def short_circuit_guards_a_division(x, y):
    if y != 0.0 and x / y > 1.0:
        return x / y
    return x * x


@program((1.3, 0.0), (1.3, 0.7))
def value_of_or(x, y):
    z = y or x
    return z * z * x


@program(1.3, -0.4)
def negated_condition(x):
    if not x > 0.0:
        return x**3
    return x


@program(0.3, 1.7)
def chained_comparison(x):
    if 0.0 < x < 1.0:
        return x * x
    return 1.0 / x


formula("condition_is_an_argument", lambda x, flag: x * x if flag else math.cos(x), (0.3, True), (0.3, False))


@program((0.3, 1), (0.3, 2), (0.3, 3))
def integer_chooses(x, kind):
    if kind == 1:
        return x
    if kind == 2:
        return x * x
    return x * x * x


@program(1.3, -0.4)
def local_reassigned_in_one_branch(x):
    y = x
    if x > 0.0:
        y = y * y
        x = y + 1.0
    return x * y


@program(1.3, -0.4)
def locals_exchanged_in_a_branch(x):
    a, b = x, x * x
    if x > 0.0:
        a, b = b, a
    return a * 3.0 + b * b


@program(1.3, -0.4)
def constant_in_one_branch(x):
    y = 2.0
    if x > 0.0:
        y = x
    return y * x


@program(1.3, -0.4)
def branch_result_not_used(x):
    y = x * x
    if x > 0.0:
        z = y * 3.0
    else:
        z = y * 5.0
    z = x
    return z * y


@program(X)
def branch_in_a_loop(x):
    total = 0.0
    for value in x:
        if value > 0.0:
            total += value * value
        else:
            total -= math.sin(value)
    return total


@program(X)
def branch_changes_the_state(x):
    state = 1.0
    for value in x:
        if state > 0.5:
            state = state * value
        else:
            state = state + value * value
    return state


@program(X)
def local_survives_from_an_earlier_iteration(x):
    last = 0.0
    total = 0.0
    for value in x:
        if value > 0.0:
            last = value * value
        total += last * value
    return total


@program(X)
def branches_by_the_index(x):
    state = 0.5
    for i in range(len(x)):
        if i % 3 == 0:
            state = state * x[i]
        elif i % 3 == 1:
            state = state - x[i] * x[i]
        else:
            state = math.tanh(state) * x[i]
    return state


@program((0.3, 0.4), (3.0, 0.4))
def loop_in_a_branch(x, y):
    if x < 1.0:
        for _ in range(4):
            x = x * y + 1.0
    else:
        for _ in range(2):
            y = y * x
    return x * y


@program(0.3, -0.3, 3.0)
def early_returns(x):
    if x < 0.0:
        return 1.0
    y = math.sqrt(x)
    if y > 1.0:
        return y * 7.0
    return y * y * y


@program(0.3, -0.3)
def return_in_both_branches(x):
    if x > 0.0:
        return x * 2.0
    else:
        return x * x


@program(-0.3, -5.0)
def untaken_branch_gives_nan(x):
    y = x * x
    if x > 0.0:
        y = math.log(x) + math.sqrt(x)
    return y


@program((0.0, 2.0), (4.0, 2.0), gradient=((0.0, 4.0), (-0.125, 0.25)))
def untaken_division_by_zero(x, y):
    return y / x if x != 0.0 else y * y


formula("builtin_max_and_min", lambda x, y: max(x, y) * 3.0 + min(x, y) ** 2 + max(x, y, 0.9), (1.3, 0.2), (0.2, 1.3))


@program(X)
def clamped(x):
    total = 0.0
    for value in x:
        total += min(max(value, -1.0), 1.0) * value
    return total


formula("absolute_value", lambda x: abs(x) * x + math.fabs(x), 1.3, -1.3)


@program((X, Y))
def branch_writes_different_arrays(x, y):
    a, b = np.zeros(4), np.zeros(4)
    for i in range(4):
        if x[i] > y[i]:
            a[i] = x[i] * y[i]
        else:
            b[i] = x[i] + y[i]
    return (a * a).sum() + (b * b * b).sum()


@program((X, Y, True), (X, Y, False))
def branch_chooses_an_array(x, y, first):
    z = x if first else y
    return z[0] * z[1] + x[2] * y[3]


@program((P, True), (P, False))
def branch_chooses_a_view_or_a_new_array(p, view):
    z = p[1:] if view else p[1:] * 2.0
    z[0] = z[0] * z[1]
    return (z * z).sum() + p[1]


@program((X, 0.6), (X, -0.6))
def branch_on_an_element_that_was_overwritten(x, limit):
    x[1] = x[0] + x[2]
    if x[1] > limit:
        x[1] = x[1] * x[3]
    return x[1] * x[1]


@program((0.8, 1.1))
def phi_of_three_predecessors(x, y):
    z = x
    for i in range(6):
        if i == 1:
            z = z * y
            continue
        if i == 4:
            z = z + x
            break
        z = math.sin(z)
    return z * z
