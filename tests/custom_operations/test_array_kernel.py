"""fg.kernel: a function of arrays of the user's as an operation."""

from __future__ import annotations

import copy
import pickle

import numba
import numpy as np
import pytest

import fastgrad as fg
from fastgrad._src.jit.bounds import bounds_checks
from tests.gradients import check_gradient, gradient_of


@fg.kernel("(m,k),(k,n)->(m,n)")
@numba.njit
def product(a, b, out):
    for i in range(a.shape[0]):
        for j in range(b.shape[1]):
            for k in range(a.shape[1]):
                out[i, j] += a[i, k] * b[k, j]


@product.gradient
@numba.njit
def product_gradient(g, y, a, b, da, db):
    for i in range(a.shape[0]):
        for j in range(b.shape[1]):
            for k in range(a.shape[1]):
                da[i, k] += g[i, j] * b[k, j]
                db[k, j] += a[i, k] * g[i, j]


@fg.kernel("(n),()->(n),()")
def running_sum(x, decay):
    """A recurrence with its last value, returned as new arrays."""
    sums = np.empty_like(x)
    last = x[0] * 0
    for i in range(len(x)):
        last = decay * last + x[i]
        sums[i] = last
    return sums, last


@fg.kernel("(n),(),(n),(),(n),()->(n),()")
def running_sum_slopes(g, g_last, sums, last, x, decay, dx, d_decay):
    carried = g_last
    for i in range(len(x) - 1, -1, -1):
        carried += g[i]
        dx[i] = carried
        if i > 0:
            d_decay[0] += carried * sums[i - 1]
        carried *= decay


running_sum.gradient(running_sum_slopes)


def running_sum_of(x, decay):
    sums = [x[0]]
    for value in x[1:]:
        sums.append(decay * sums[-1] + value)
    return np.array(sums)


RNG = np.random.default_rng(5)
A, B = RNG.normal(size=(4, 2, 3)), RNG.normal(size=(4, 3, 5))


# ---- values ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float32", "float64", "int32", "int64"])
def test_the_function_is_applied_to_each_item_of_a_batch(dtype):
    a, b = (10 * A).astype(dtype), (10 * B).astype(dtype)
    y = product(a, b)
    assert y.dtype.name == dtype
    assert y.shape == (4, 2, 5)
    np.testing.assert_allclose(y.numpy(), a @ b, rtol=1e-5)


@pytest.mark.parametrize("first", [(2, 3), (1, 2, 3), (4, 2, 3), (6, 1, 2, 3), (6, 4, 2, 3)])
@pytest.mark.parametrize("second", [(3, 5), (4, 3, 5), (6, 1, 3, 5), (1, 1, 3, 5)])
def test_batches_broadcast(first, second):
    a, b = RNG.normal(size=first), RNG.normal(size=second)
    np.testing.assert_allclose(product(a, b).numpy(), a @ b, rtol=1e-13, atol=1e-15)


def test_functions_may_return_their_results():
    x = RNG.normal(size=(3, 6))
    sums, last = running_sum(x, 0.5)
    np.testing.assert_allclose(sums.numpy(), [running_sum_of(row, 0.5) for row in x])
    np.testing.assert_allclose(last.numpy(), sums.numpy()[:, -1])
    sums, _ = running_sum(x, fg.constant([0.1, 0.2, 0.3], fg.float64))
    np.testing.assert_allclose(sums.numpy()[2], running_sum_of(x[2], 0.3))


def test_steps_of_returned_results_and_of_derived_gradients_compile_no_texts():
    @fg.kernel("(m,n)->(n,m),()")
    def parts(x):
        return x.T * 2.0, x[0, 0]

    x = fg.Variable(RNG.normal(size=(2, 3, 4)))
    with fg.GradientTape() as tape:
        twice, corner = parts(x)
    np.testing.assert_array_equal(twice, 2.0 * np.swapaxes(x.numpy(), 1, 2))
    np.testing.assert_array_equal(corner, x[:, 0, 0])
    expected = np.full((2, 3, 4), 2.0)
    expected[:, 0, 0] += 1.0
    np.testing.assert_array_equal(tape.gradient([twice, corner], x), expected)
    for operation in (parts.operation, parts.operation.gradient_operation()):
        (step,) = operation._steps.values()
        text = step._step.inspect_code(as_assembly=False)
        assert "define " in text
        assert "unicode" not in text, "the text of an error takes Numba seconds in each process"


def test_dimensions_may_be_numbers():
    @fg.kernel("(3),(3)->(3)")
    def cross(a, b, out):
        for i in range(3):
            j, k = (i + 1) % 3, (i + 2) % 3
            out[i] = a[j] * b[k] - a[k] * b[j]

    a, b = RNG.normal(size=(7, 3)), RNG.normal(size=(7, 3))
    np.testing.assert_allclose(cross(a, b).numpy(), np.cross(a, b))
    with pytest.raises(fg.errors.InvalidArgumentError, match="dimension 3 is 3 and 2"):
        cross(a[:, :2], b)


def test_results_have_the_declared_dtype():
    @fg.kernel("(n)->(),()", dtype=["int64", None])
    def extremes(x, place, value):
        place[0] = np.argmax(x)
        value[0] = x.max()

    place, value = extremes(fg.constant([[1.0, 5.0, 2.0], [7.0, 0.0, 0.0]]))
    assert (place.dtype, value.dtype) == (fg.int64, fg.float32)
    assert place.numpy().tolist() == [1, 0]
    assert value.numpy().tolist() == [5, 7]


def test_results_hold_zeros_when_the_function_begins():
    @fg.kernel("(n)->(n)")
    def first_only(x, out):
        out[0] = x[0]

    np.testing.assert_array_equal(first_only(np.ones((50, 64))).numpy()[:, 1:], 0)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_width_floats_are_computed_in_float32(dtype):
    y = product(fg.constant(A, dtype), fg.constant(B, dtype))
    assert y.dtype.name == dtype
    np.testing.assert_allclose(fg.cast(y, "float64").numpy(), A @ B, rtol=0.05, atol=0.05)


def test_empty_batches_and_dimensions():
    assert product(np.zeros((0, 2, 3)), B[0]).shape == (0, 2, 5)
    assert product(np.zeros((2, 0)), np.zeros((0, 5))).numpy().tolist() == np.zeros((2, 5)).tolist()
    assert fg.function(product)(fg.zeros((0, 2, 3)), fg.zeros((3, 5))).shape == (0, 2, 5)


def test_views_and_transposes_are_read_as_they_are():
    a = fg.transpose(fg.constant(np.swapaxes(A, 1, 2)), (0, 2, 1))
    np.testing.assert_allclose(product(a, B).numpy(), A @ B)
    np.testing.assert_allclose(product(np.asfortranarray(A), B[::-1]).numpy(), A @ B[::-1])


def test_functions_of_numba_guvectorize_are_taken_with_their_signature():
    @numba.guvectorize(["void(float64[:], float64[:], float64[:])"], "(n),()->(n)")
    def scale(x, factor, out):
        for i in range(len(x)):
            out[i] = x[i] * factor[0]

    with pytest.raises(TypeError, match=r"scale"):  # its numbers are arrays: here they are numbers
        fg.kernel(scale)(np.ones((2, 3)), 2.0)

    @numba.guvectorize("(n),(n)->(n)")
    def multiply(x, y, out):
        for i in range(len(x)):
            out[i] = x[i] * y[i]

    np.testing.assert_array_equal(fg.kernel(multiply)(np.ones((2, 3)), np.arange(3.0)).numpy(), [[0, 1, 2]] * 2)


# ---- gradients ---------------------------------------------------------------------------------------------


def test_gradients_are_those_that_were_given():
    check_gradient(product, A, B)
    check_gradient(product, A, B[0])
    check_gradient(product, A[0], B)
    check_gradient(running_sum, RNG.normal(size=(3, 6)), np.array(0.7))


def test_the_gradient_of_a_given_gradient_is_derived():
    x = fg.Variable(A)
    with fg.GradientTape() as outer:
        slope = gradient_of(lambda x: product(x, B) ** 2, x)
    found = outer.gradient(slope, x).numpy()
    with fg.GradientTape() as outer:
        slope = gradient_of(lambda x: fg.matmul(x, B) ** 2, x)
    np.testing.assert_allclose(found, outer.gradient(slope, x).numpy())


@fg.kernel("(n),()->(n)")
def decaying_squares(x, decay, out):
    total = 0.0
    for i in range(len(x)):
        total = decay * total + x[i] ** 2
        out[i] = total


def decaying_squares_of_operations(x, decay):
    totals = [x[..., 0] ** 2]
    for i in range(1, x.shape[-1]):
        totals.append(decay * totals[-1] + x[..., i] ** 2)
    return fg.stack(totals, -1)


@pytest.mark.parametrize("compiled", [False, True])
def test_gradients_that_were_not_given_are_derived_to_second_order(compiled):
    def slopes(function, x, decay):
        with fg.GradientTape() as outer:
            outer.watch([x, decay])
            with fg.GradientTape() as inner:
                inner.watch([x, decay])
                y = fg.sin(function(x, decay))
            dx, d_decay = inner.gradient(y, [x, decay])
            target = fg.reduce_sum(dx**2) + d_decay**2
        return y, dx, d_decay, *outer.gradient(target, [x, decay])

    x, decay = fg.constant(RNG.normal(size=(3, 4))), fg.constant(0.5, "float64")
    step = fg.function(lambda x, decay: slopes(decaying_squares, x, decay))
    for _ in range(3):
        found = step(x, decay) if compiled else slopes(decaying_squares, x, decay)
    for ours, theirs in zip(found, slopes(decaying_squares_of_operations, x, decay), strict=True):
        np.testing.assert_allclose(ours.numpy(), theirs.numpy(), rtol=1e-9)
    if compiled:
        assert "no Python between them" in str(step.report())


def test_derived_gradients_of_several_results_and_of_integers():
    @fg.kernel("(n),(n)->(n),()", dtype=["float64", "int64"])
    def powers(x, exponents, out, count):
        for i in range(len(x)):
            if x[i] > 0:
                out[i] = x[i] ** exponents[i]
                count[0] += 1

    @fg.kernel("(n)->(n),()")
    def sums(x):
        return np.cumsum(x * x), np.sum(x)

    x = fg.Variable([1.0, -2.0, 3.0], dtype="float64")
    with fg.GradientTape(persistent=True) as tape:
        y, count = powers(x, fg.constant([1, 2, 3]))
        totals, total = sums(x)
        z = fg.reduce_sum(totals) + total**2
    assert int(count) == 2
    np.testing.assert_allclose(tape.gradient(y, x).numpy(), [1.0, 0.0, 27.0])
    np.testing.assert_allclose(tape.gradient(z, x).numpy(), [10.0, -4.0, 10.0])


def test_third_derivatives_are_refused():
    x = fg.Variable([1.0, 2.0])
    with fg.GradientTape() as third:
        with fg.GradientTape() as second:
            slope = gradient_of(lambda x: decaying_squares(x, 0.5), x)
        slope = second.gradient(slope, x)
    with pytest.raises(fg.errors.DifferentiationError, match="third derivatives of kernels can't be derived"):
        third.gradient(slope, x)


def test_gradients_that_cannot_be_derived_say_where_and_what_to_do():
    @fg.kernel("(n)->(n)")
    def twice(x, out):
        for factor in {1, 2}:  # noqa: PLC0208  # sets are not ordered
            out[:] = factor * x

    @fg.kernel("(n)->(n)")
    def noisy(x, out):
        out[:] = x * np.random.normal()

    x = fg.Variable(np.ones(3))
    with fg.GradientTape(persistent=True) as tape:
        y, z = twice(x), noisy(x)
    line = twice.__wrapped__.__code__.co_firstlineno + 2
    with pytest.raises(
        fg.errors.DifferentiationError, match=rf"test_array_kernel\.py:{line}.*@kernel\(twice\)\.gradient"
    ):
        tape.gradient(y, x)
    with pytest.raises(fg.errors.DifferentiationError, match=r"np\.random\.normal, which gives another value"):
        tape.gradient(z, x)
    twice.gradient(None)
    assert gradient_of(twice, x) is None


def test_inputs_that_are_no_floats_have_no_gradient():
    @fg.kernel("(n),(k)->(k)")
    def take(x, places):
        return x[places]

    @take.gradient
    def _(g, y, x, places, dx, dplaces):
        for i in range(len(places)):
            dx[places[i]] += g[i]

    x = fg.Variable([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
    with fg.GradientTape() as tape:
        y = take(x, fg.constant([2, 2]))
    np.testing.assert_array_equal(y.numpy(), [[3, 3], [6, 6]])
    np.testing.assert_array_equal(tape.gradient(y, x).numpy(), [[0, 0, 2], [0, 0, 2]])


def test_jacobians_and_vectorized_maps():
    rows = fg.vectorized_map(lambda a: product(a, B[0]), fg.constant(A))
    np.testing.assert_allclose(rows.numpy(), A @ B[0])
    both = fg.vectorized_map(lambda pair: product(pair[0], pair[1]), (fg.constant(A), fg.constant(B)))
    np.testing.assert_allclose(both.numpy(), A @ B)
    x = fg.constant(RNG.normal(size=4))
    with fg.GradientTape() as tape:
        tape.watch(x)
        sums, _ = running_sum(x, 0.5)
    expected = [[0.5 ** (i - j) if i >= j else 0.0 for j in range(4)] for i in range(4)]
    np.testing.assert_allclose(tape.jacobian(sums, x).numpy(), expected, rtol=1e-12)


# ---- compiled steps ----------------------------------------------------------------------------------------


def test_compiled_steps_give_what_eager_code_gives_without_python():
    def step(a, b):
        with fg.GradientTape() as tape:
            tape.watch([a, b])
            y = fg.reduce_sum(fg.tanh(product(a, b) + 1.0))
        return [y, *tape.gradient(y, [a, b])]

    compiled = fg.function(step)
    a, b = fg.constant(A), fg.constant(B[0])
    for _ in range(3):
        for x, y in zip(step(a, b), compiled(a, b), strict=True):
            np.testing.assert_allclose(x.numpy(), y.numpy(), rtol=1e-13)
    assert "no Python between them" in str(compiled.report())


def test_large_batches_are_shared_among_the_threads():
    a = RNG.normal(size=(3000, 8, 8))
    np.testing.assert_allclose(product(a, a[0]).numpy(), a @ a[0], rtol=1e-11, atol=1e-12)
    np.testing.assert_allclose(fg.function(product)(a, a[0]).numpy(), a @ a[0], rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("compiled", [False, True])
def test_functions_that_take_pythons_lock_do_not_hang_the_threads(capfd, compiled):
    @numba.njit
    def shout(x):
        print("seen")

    @fg.kernel("(n)->(n)")
    @numba.njit
    def loud(x, out):
        if x[0] < 0:
            shout(x)
        out[:] = x

    x = np.ones((3000, 100))
    x[[5, 1000, 2999]] = -1
    step = fg.function(loud) if compiled else loud
    for _ in range(3):
        np.testing.assert_array_equal(step(x).numpy(), x)
    assert capfd.readouterr().out.count("seen") == 9


def test_parallel_loops_of_numba_run_within_the_threads_of_a_step():
    @fg.kernel("(n)->(n)")
    @numba.njit(parallel=True)
    def twice(x, out):
        for i in numba.prange(len(x)):
            out[i] = 2 * x[i]

    x = np.ones((3000, 100))
    step = fg.function(twice)
    for _ in range(3):
        np.testing.assert_array_equal(step(x).numpy(), 2 * x)


def test_what_a_function_raises_comes_from_eager_and_compiled_code():
    @fg.kernel("(n)->()")
    def positive_sum(x, out):
        for i in range(len(x)):
            if x[i] < 0:
                raise ValueError("negative number")
            out[0] += x[i]

    bad = np.ones((2000, 50))
    bad[1500, 7] = -1
    step = fg.function(positive_sum)
    for _ in range(3):
        assert step(np.ones((2000, 50))).numpy().sum() == 100_000
        for run in (step, positive_sum):
            with pytest.raises(ValueError, match="negative number"):
                run(bad)


def test_a_write_outside_is_found_in_checked_builds():
    def outside(x, out):
        for i in range(len(x) + 1):
            out[i - 1 if i == 0 else i] = x[0]

    with bounds_checks(True):
        with pytest.raises(IndexError, match="out of bounds"):
            fg.kernel("(n)->(n)")(outside)(np.ones((2, 4)))
        with pytest.raises(IndexError, match="out of bounds"):
            fg.function(fg.kernel("(n)->(n)")(outside))(np.ones((2, 4)))


OFFSET = 1.0


def test_values_from_outside_are_taken_again_when_they_change(monkeypatch):
    @fg.kernel("(n)->(n)")
    def shifted(x):
        return x + OFFSET

    assert shifted([1.0]).numpy() == 2
    monkeypatch.setitem(globals(), "OFFSET", 5.0)
    assert shifted([1.0]).numpy() == 6


@pytest.mark.parametrize("compiled", [False, True])
def test_on_a_gpu_it_runs_on_the_host(simulated_gpu, compiled):
    with fg.device("GPU:0"):
        run = fg.function(product) if compiled else product
        for _ in range(2):
            y = run(fg.constant(A), fg.constant(B))
    assert "GPU:0" in y.device
    np.testing.assert_allclose(y.numpy(), A @ B)


# ---- errors ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("(n)", 'one "->"'),
        ("(n)->(n)->(n)", 'one "->"'),
        ("->(n)", "an input and a result"),
        ("(n)->", "an input and a result"),
        ("(n)->(m)", "m in the results"),
        ("(n?)->(n)", "neither a name nor a number"),
        ("(n),n->(n)", "can't read"),
        ("(n->(n)", "can't read"),
    ],
)
def test_a_wrong_signature_is_refused_at_once(text, message):
    with pytest.raises(ValueError, match=message):
        fg.kernel(text)


def test_a_function_of_another_number_of_arguments_is_refused_at_once():
    with pytest.raises(TypeError, match="takes 3 arguments.*needs 1.*or 2"):
        fg.kernel("(n)->(n)")(lambda a, b, c: None)
    with pytest.raises(TypeError, match="takes 1 arguments"):
        product.gradient(lambda g: g)
    with pytest.raises(TypeError, match="elementwise"):
        fg.kernel(lambda x: x)
    with pytest.raises(ValueError, match="2 dtypes for the 1 results"):
        fg.kernel("(n)->(n)", dtype=["int32", "int32"])(lambda x: x)
    with pytest.raises(TypeError, match="no arrays of float16"):
        fg.kernel("(n)->(n)", dtype="float16")(lambda x: x)


def test_a_function_that_loses_its_result_is_refused_at_once():
    def rebinds(x, out):
        out = x * 2.0  # noqa: F841

    def ignores(x, other, out):
        out[...] = x

    def computes_with_another(x, out):
        out = np.zeros(3)
        out[0] = x[0]

    def adds(x, out):
        out += x

    for function, dims, text in (
        (rebinds, "(n)", r"`out = \.\.\.`.*Write to the elements, as in out\[\.\.\.\]"),
        (numba.njit(computes_with_another), "(n)", r"`out = \.\.\.`"),
        (ignores, "(n),(n)", "never uses its result other"),
    ):
        with pytest.raises(TypeError, match=text):
            fg.kernel(f"(n)->{dims}")(function)
    doubles = fg.kernel("(n)->(n)")(adds)
    np.testing.assert_array_equal(doubles(fg.ones(3)), 1.0)
    with pytest.raises(TypeError, match="gx = "):

        @doubles.gradient
        def gradient(g, y, x, gx):
            gx = g  # noqa: F841


def test_shapes_that_do_not_fit_are_refused():
    with pytest.raises(fg.errors.InvalidArgumentError, match=r"\(m,k\),\(k,n\)->\(m,n\): dimension k is 3 and 2"):
        product(A, B[:, :2])
    with pytest.raises(fg.errors.InvalidArgumentError, match="input 1 has 1 dimensions"):
        product(A, B[0, 0])
    with pytest.raises(fg.errors.InvalidArgumentError, match=r"batches \[4\], \[3\]"):
        product(A, B[:3])
    with pytest.raises(TypeError, match="takes 2 inputs"):
        product(A)


def test_a_function_that_numba_cannot_type_says_why_and_where():
    @fg.kernel("(n)->(n)")
    def wrong(x, out):
        out[:] = x.no_such_method()

    with pytest.raises(TypeError, match="(?s)test_array_kernel.py.*no_such_method"):
        wrong([1.0])


def test_inputs_can_not_be_written_to():
    @fg.kernel("(n)->(n)")
    def wrong(x, out):
        x[0] = out[0]

    with pytest.raises(TypeError, match="(?s)wrong.*readonly"):
        wrong([1.0])


def test_results_of_another_shape_are_refused():
    @fg.kernel("(n)->(n)")
    def longer(x):
        return np.zeros(len(x) + 1)

    with pytest.raises(fg.errors.InvalidArgumentError, match=r"shapes \[\(4,\)\].*says \[\(3,\)\]"):
        longer(np.ones(3))


@pytest.mark.parametrize("compiled", [False, True])
def test_results_are_not_broadcast_to_the_declared_shape(compiled):
    for function in (lambda x: np.ones(1), lambda x: 1.0):
        kernel = fg.kernel("(n)->(n)")(function)
        with pytest.raises(fg.errors.InvalidArgumentError, match=r"says \[\(3,\)\]"):
            (fg.function(kernel) if compiled else kernel)(np.ones(3))


@pytest.mark.parametrize("given", [False, True])
def test_forward_mode_goes_through_kernels(given):
    @fg.kernel("(n)->(n)")
    def squares(x, out):
        out[:] = x * x

    def squares_gradient(g, y, x, dx):
        dx[:] = 2.0 * x * g

    if given:
        squares.gradient(squares_gradient)
    x = fg.constant([1.0, 2.0])
    with fg.autodiff.ForwardAccumulator(x, fg.constant([1.0, 3.0])) as accumulator:
        y = squares(x)
    np.testing.assert_allclose(accumulator.jvp(y).numpy(), [2.0, 12.0])


def test_copies_and_pickles_are_the_function_itself():
    assert copy.deepcopy(product) is product
    assert pickle.loads(pickle.dumps(product)) is product
    assert running_sum.__doc__ == "A recurrence with its last value, returned as new arrays."


def test_compiled_steps_show_the_code_of_users_kernels():
    step = fg.function(lambda a, b: product(a, b) + 1.0)
    for _ in range(2):
        step(fg.ones([2, 3]), fg.ones([3, 2]))
    (text,) = [text for name, text in step.inspect_llvm().items() if "product" in name]
    assert "define " in text
    (assembly,) = [text for name, text in step.inspect_asm().items() if "product" in name]
    assert ".globl" in assembly
