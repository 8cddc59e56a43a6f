"""GradBench's problems: objectives are compared with formulas in NumPy and SciPy, derivatives with central differences."""

import itertools
import json
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba
import numpy as np
import pytest
from scipy.spatial.distance import cdist
from scipy.spatial.transform import Rotation
from scipy.special import expit, logsumexp
from scipy.stats import multivariate_normal, wishart

from benchmarks.apart import ROOT
from benchmarks.gradbench import __main__ as command_line
from benchmarks.gradbench.comparison import mismatches
from benchmarks.gradbench.contestants import ToolError, contestant
from benchmarks.gradbench.derivatives import derivative
from benchmarks.gradbench.descent import minimizer
from benchmarks.gradbench.problems import PROBLEMS, ba, ode, particle, saddle
from benchmarks.gradbench.runner import Measured, measure

SMALL: dict[str, dict[str, Any]] = {
    "hello": {"x": 3.0},
    "llsq": {"n": 9, "m": 5},
    "lse": {"n": 12},
    "det": {"ell": 5},
    "ode": {"n": 6, "s": 7},
    "kmeans": {"k": 3, "n": 20, "d": 2},
    "gmm": {"d": 3, "k": 4, "n": 10, "m": 2, "gamma": 0.7},
    "lstm": {"layers": 2, "characters": 6},
    "ba": {"n": 2, "m": 3, "p": 5},
    "ht": {"points": 7, "vertices": 30},
}


def small_arguments(name: str) -> tuple[Any, ...]:
    return PROBLEMS[name].arguments(PROBLEMS[name].inputs(**SMALL[name]))


def llsq_formula(coefficients: np.ndarray, n: int) -> float:
    t = np.linspace(-1.0, 1.0, n)
    return 0.5 * np.sum((np.sign(t) - np.polynomial.polynomial.polyval(t, coefficients)) ** 2)


def ode_formula(x: np.ndarray, steps: int) -> np.ndarray:
    """Returns the sum of four powers of the linear system, which is Runge and Kutta's step for it, applied so many times."""
    n = len(x)
    system = np.zeros((n + 1, n + 1))
    system[0, n] = x[0]
    system[np.arange(1, n), np.arange(n - 1)] = x[1:]
    z = ode.END / steps * system
    step = np.eye(n + 1) + z @ (np.eye(n + 1) + z / 2 @ (np.eye(n + 1) + z / 3 @ (np.eye(n + 1) + z / 4)))
    return np.linalg.matrix_power(step, steps)[:n, n]


def gmm_formula(alpha, mu, q, lower, x, gamma, m) -> float:
    k, d = mu.shape
    likelihood = np.empty((k, len(x)))
    prior = 0.0
    for j in range(k):
        factor = np.diag(np.exp(q[j]))
        factor[np.triu_indices(d, 1)[::-1]] = lower[j]
        precision = factor.T @ factor
        weight = alpha[j] - logsumexp(alpha)
        likelihood[j] = weight + multivariate_normal(mu[j], np.linalg.inv(precision)).logpdf(x)
        prior += wishart(d + m + 1, np.eye(d) / gamma**2).logpdf(precision)
    return logsumexp(likelihood, axis=0).sum() + prior


def lstm_formula(main, extra, state, sequence) -> float:
    hidden, cell = list(state[::2]), list(state[1::2])
    losses = []
    for bits, following in itertools.pairwise(sequence):
        x = bits * extra[0]
        for layer in range(len(hidden)):
            weights, biases = np.split(main[2 * layer], 4), np.split(main[2 * layer + 1], 4)
            inputs = (x, hidden[layer], x, hidden[layer])
            forget, admit, emit, change = (w * v + b for w, v, b in zip(weights, inputs, biases, strict=True))
            cell[layer] = cell[layer] * expit(forget) + expit(admit) * np.tanh(change)
            x = hidden[layer] = expit(emit) * np.tanh(cell[layer])
        prediction = x * extra[1] + extra[2]
        losses.append(-following @ (prediction - np.log(np.exp(prediction).sum() + 2.0)) / len(following))
    return np.mean(losses)


def ba_formula(cameras, points, weights, observations, features) -> tuple[np.ndarray, np.ndarray]:
    rows = []
    for weight, (camera, point), feature in zip(weights, observations, features, strict=True):
        rotation, center, focal, principal, radial = np.split(cameras[camera], [3, 6, 7, 9])
        x, y, z = Rotation.from_rotvec(rotation).apply(points[point] - center)
        flat = np.array([x, y]) / z
        distorted = flat * np.polynomial.polynomial.polyval(flat @ flat, [1.0, *radial])
        rows.append(weight * (distorted * focal + principal - feature))
    return np.array(rows), 1.0 - weights**2


def ht_formula(theta, us, correspondences, points, triangles, parents, relatives, inverses, positions, weights, _):
    bends, spreads = np.zeros((2, len(parents)))
    bends[[2, 3, 4, 6, 7, 8, 10, 11, 12, 14, 15, 16, 18, 19, 20]] = np.delete(theta[6:], [1, 5, 9, 13, 17])
    spreads[[2, 6, 10, 14, 18]] = theta[7::4]
    absolutes: list[np.ndarray] = []
    for bone, parent in enumerate(parents):
        joint = np.eye(4)
        joint[:3, :3] = Rotation.from_euler("xz", [bends[bone], spreads[bone]]).as_matrix()
        absolutes.append((np.eye(4) if parent == -1 else absolutes[parent]) @ relatives[bone] @ joint)
    moved = np.einsum("bij,bjk,vk,vb->vi", np.array(absolutes), inverses, positions, weights)[:, :3]
    vertices = Rotation.from_rotvec(theta[:3]).apply(moved) + theta[3:6]
    barycentric = np.column_stack([us, 1.0 - us.sum(axis=1)])
    return (points - np.einsum("pc,pci->pi", barycentric, vertices[triangles[correspondences]])).ravel()


FORMULAS: dict[str, Callable[..., Any]] = {
    "hello": lambda x: x**2,
    "llsq": llsq_formula,
    "lse": logsumexp,
    "det": np.linalg.det,
    "ode": ode_formula,
    "kmeans": lambda points, centroids: cdist(points, centroids, "sqeuclidean").min(axis=1).sum(),
    "gmm": gmm_formula,
    "lstm": lstm_formula,
    "ba": ba_formula,
    "ht": ht_formula,
}


def flat(result: Any) -> np.ndarray:
    return np.concatenate([np.ravel(part) for part in (result if isinstance(result, tuple) else (result,))])


def central_jacobian(function: Callable[..., Any], arguments: tuple[Any, ...], position: int, step: float = 1e-6):
    """Returns the Jacobian of the flat result by one argument, a column for each of its elements."""
    columns = []
    for tangent in np.eye(np.size(arguments[position])).reshape(-1, *np.shape(arguments[position])):
        above, below = (
            flat(function(*arguments[:position], arguments[position] + sign * tangent, *arguments[position + 1 :]))
            for sign in (step, -step)
        )
        columns.append((above - below) / (2.0 * step))
    return np.array(columns).T


@pytest.mark.parametrize("name", FORMULAS)
def test_an_objective_equals_its_formula(name: str) -> None:
    arguments = small_arguments(name)
    objective = PROBLEMS[name].objective
    assert objective is not None
    np.testing.assert_allclose(flat(objective(*arguments)), flat(FORMULAS[name](*arguments)), rtol=1e-11, atol=1e-13)


def test_every_problem_with_an_objective_has_a_formula() -> None:
    assert {name for name, problem in PROBLEMS.items() if problem.objective_name} == FORMULAS.keys()


@pytest.mark.parametrize("name", PROBLEMS)
def test_inputs_are_json_and_the_same_each_time(name: str) -> None:
    problem = PROBLEMS[name]
    assert set(problem.standard) <= set(problem.sizes)
    size = SMALL.get(name) or problem.sizes[problem.standard[0]]
    assert json.dumps(problem.inputs(**size)) == json.dumps(problem.inputs(**size))


def test_euler_s_path_with_forces_by_hand_misses_least_at_the_control_of_gradbench() -> None:
    @numba.njit
    def slope(x, y, control):
        dx, dy, above = x - 10.0, y, y - 10.0 + control
        near, far = (dx * dx + above * above) ** -1.5, (dx * dx + dy * dy) ** -1.5
        return -dx * (near + far), -above * near - dy * far

    miss = particle.squared_miss(slope)
    (control,) = central_minimizer(miss)(np.zeros(1), np.array(particle.START))
    assert control == pytest.approx(particle.CONTROL, rel=1e-6)


def test_the_descent_inside_a_descent_finds_the_saddle_point_of_gradbench() -> None:
    @numba.njit
    def by_y(y, _):
        return 2.0 * y

    start = np.ones(2)
    x = central_minimizer(saddle.largest_payoff(by_y))(start, start)
    y = minimizer(saddle.negative_payoff, by_y)(start, x)
    np.testing.assert_allclose([*x, *y], saddle.PROBLEM.expected, rtol=1e-6)


def central_minimizer(function: Callable[..., Any], step: float = 1e-6) -> Callable[..., Any]:
    @numba.njit
    def gradient(x, data):
        result = np.empty(len(x))
        for i in range(len(x)):
            tangent = np.zeros(len(x))
            tangent[i] = step
            result[i] = (function(x + tangent, data) - function(x - tangent, data)) / (2.0 * step)
        return result

    return minimizer(function, gradient)


@pytest.mark.parametrize(
    ("name", "positions"),
    [("hello", [0]), ("llsq", [0]), ("lse", [0]), ("det", [0]), ("gmm", [0, 1, 2, 3]), ("lstm", [0, 1])],
)
def test_a_gradient_equals_central_differences(name: str, positions: list[int]) -> None:
    problem, arguments = PROBLEMS[name], small_arguments(name)
    assert problem.objective is not None
    expected = np.hstack([central_jacobian(problem.objective, arguments, position) for position in positions])[0]
    gradient = derivative(problem, problem.derivatives[0])(*arguments)
    np.testing.assert_allclose(flat(gradient), expected, rtol=1e-6, atol=1e-7)


def test_the_gradient_of_the_last_element_equals_central_differences() -> None:
    arguments = small_arguments("ode")
    gradient = derivative(ode.PROBLEM, "gradient")(*arguments)
    np.testing.assert_allclose(gradient, central_jacobian(ode.solve, arguments, 0)[-1], rtol=1e-6, atol=1e-9)


def test_newton_s_step_of_k_means_leads_from_the_means_of_clusters_to_the_centroids() -> None:
    points, centroids = small_arguments("kmeans")
    nearest = cdist(points, centroids).argmin(axis=1)
    means = np.array([points[nearest == j].mean(axis=0) for j in range(len(centroids))])
    step = derivative(PROBLEMS["kmeans"], "dir")(points, centroids)
    np.testing.assert_allclose(step, centroids - means, rtol=1e-10, atol=1e-14)


def test_the_sparse_jacobian_of_bundle_adjustment_equals_central_differences() -> None:
    arguments = small_arguments("ba")
    rows, columns, values = derivative(ba.PROBLEM, "jacobian")(*arguments)
    dense = np.zeros((len(rows) - 1, sum(map(np.size, arguments[:3]))))
    for row, (first, end) in enumerate(itertools.pairwise(rows)):
        dense[row, columns[first:end]] = values[first:end]
    expected = np.hstack([central_jacobian(ba.errors, arguments, position) for position in range(3)])
    np.testing.assert_allclose(dense, expected, rtol=1e-6, atol=1e-6)


def test_the_jacobian_of_hand_tracking_has_columns_of_both_coordinates_then_of_the_parameters() -> None:
    arguments = small_arguments("ht")
    problem = PROBLEMS["ht"]
    assert problem.objective is not None
    by_us = central_jacobian(problem.objective, arguments, 1).reshape(-1, len(arguments[1]), 2).sum(axis=1)
    expected = np.hstack([by_us, central_jacobian(problem.objective, arguments, 0)])
    np.testing.assert_allclose(derivative(problem, "jacobian")(*arguments), expected, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("modes", ["rr", "fr", "rf", "ff"])
@pytest.mark.parametrize("name", ["particle", "saddle"])
def test_nested_derivatives_find_what_gradbench_expects(name: str, modes: str) -> None:
    problem = PROBLEMS[name]
    arguments = problem.arguments(problem.inputs(**problem.sizes["w=0"]))
    result = problem.derivative_output(derivative(problem, modes)(*arguments))
    np.testing.assert_allclose(result, problem.expected, rtol=1e-8)


@pytest.mark.parametrize(
    ("expected", "actual", "told"),
    [
        ({"a": [1.0, 2]}, {"a": [1, 2.0001]}, []),
        ([1e-9], [2e-5], []),
        ({"a": [1.0, 2.0]}, {"a": [1.0, 2.1]}, ["result.a[1] is 2.1, not 2.0"]),
        ([1.0], [float("nan")], ["result[0] is nan, not 1.0"]),
        ([1.0], [1.0, 2.0], ["result has another form: 2 elements, not 1 elements"]),
        ({"a": 1}, {"b": 1}, ["result has another form: the keys b, not the keys a"]),
    ],
)
def test_differences_are_told_with_their_place(expected: Any, actual: Any, told: list[str]) -> None:
    assert list(mismatches(expected, actual)) == told


def test_the_tool_answers_each_message_with_its_id() -> None:
    evaluation = {"module": "lse", "input": {"x": [0.0, 0.0], "min_runs": 3, "min_seconds": 0}}
    messages = [
        {"kind": "start", "eval": "lse"},
        {"kind": "define", "module": "lse"},
        {"kind": "define", "module": "nothing"},
        {"kind": "evaluate", "function": "primal", **evaluation},
        {"kind": "evaluate", "function": "nothing", **evaluation},
        {"kind": "analysis", "of": 3, "valid": True},
    ]
    lines = "".join(json.dumps({"id": number} | message) + "\n" for number, message in enumerate(messages))
    finished = subprocess.run(
        [sys.executable, "-m", "benchmarks.gradbench.tool"],
        cwd=ROOT,
        check=True,
        input=lines,
        stdout=subprocess.PIPE,
        text=True,
    )
    start, known, unknown, answer, wrong, analysis = map(json.loads, finished.stdout.splitlines())
    assert (start, known, unknown, analysis) == (
        {"id": 0, "tool": "fastgrad"},
        {"id": 1, "success": True},
        {"id": 2, "success": False},
        {"id": 5},
    )
    assert answer["output"] == pytest.approx(np.log(2.0))
    assert [timing["name"] for timing in answer["timings"]] == ["evaluate"] * 3
    assert "lse has no function 'nothing', but primal, gradient" in wrong["error"]


ECHO = """
import json, sys
for line in sys.stdin:
    message = json.loads(line)
    square = message.get("input", 0.0) ** 2
    answer = {"output": square, "timings": [{"name": "evaluate", "nanoseconds": 4000}]}
    if message["kind"] == "define" and message["module"] != "hello":
        answer = {"success": False, "error": "Traceback\\nModuleNotFoundError: No module named 'lse'"}
    print(json.dumps({"id": message["id"], "success": True} | answer), flush=True)
"""


@pytest.fixture
def copy_of_gradbench(tmp_path: Path) -> Path:
    """A folder with GradBench's places: a C++ tool that squares 8 and doubles it, and a Python tool that squares always."""
    program = tmp_path / "tools" / "manual" / "bin" / "hello"
    program.parent.mkdir(parents=True)
    program.write_text(
        textwrap.dedent("""\
        #!/bin/sh
        test "$2" = square && echo 64.0 || echo 16.0
        echo '{"name": "prepare", "nanoseconds": 5}'
        echo '{"name": "evaluate", "nanoseconds": 2000}'
        """)
    )
    program.chmod(0o755)
    echo = tmp_path / "python" / "gradbench" / "gradbench" / "tools" / "echo" / "run.py"
    echo.parent.mkdir(parents=True)
    echo.write_text(ECHO)
    return tmp_path


def measured(folder: Path, name: str) -> Measured:
    tools = {tool: contestant(tool, folder, sys.executable, 60.0) for tool in ("echo", "manual")}
    try:
        problem = PROBLEMS[name]
        return measure(problem, problem.standard[0], {**tools, "absent": "not there"}, 2, 0.01, lambda _: None)
    finally:
        for tool in tools.values():
            tool.close()


def test_tools_that_agree_with_the_c_programs_are_timed_and_others_say_why_not(copy_of_gradbench: Path) -> None:
    results = measured(copy_of_gradbench, "hello")
    assert results.seconds == {
        ("manual", "square"): [2e-6] * 2,
        ("manual", "double"): [2e-6] * 2,
        ("echo", "square"): [4e-6] * 2,
    }
    assert results.ratio(("echo", "square"), ("manual", "square")) == pytest.approx(2.0)
    assert results.problems == {
        ("echo", "double"): "disagrees: result is 64.0, not 16.0",
        ("absent", "square"): "not there",
        ("absent", "double"): "not there",
    }


def test_a_tool_without_a_problem_says_what_it_lacks(copy_of_gradbench: Path) -> None:
    problems = measured(copy_of_gradbench, "lse").problems
    assert problems["echo", "primal"] == "No module named 'lse'"
    assert problems["manual", "primal"] == "no manual/bin/lse"


def test_a_python_tool_that_prints_or_ends_is_told(copy_of_gradbench: Path) -> None:
    run = copy_of_gradbench / "python" / "gradbench" / "gradbench" / "tools" / "echo" / "run.py"
    for text, told in (
        ("print('hello')\ninput()", "its answer is not JSON"),
        ("raise OSError('no disk')", "OSError: no disk"),
    ):
        run.write_text(text)
        tool = contestant("echo", copy_of_gradbench, sys.executable, 60.0)
        with pytest.raises(ToolError, match=told):
            tool.evaluate(PROBLEMS["hello"], "square", 8.0)


def test_a_program_that_hangs_or_crashes_is_told(copy_of_gradbench: Path) -> None:
    program = copy_of_gradbench / "tools" / "manual" / "bin" / "hello"
    tool = contestant("manual", copy_of_gradbench, sys.executable, 0.5)
    for text, told in (("exec sleep 5", "no answer after 0 s"), ("echo no memory >&2; exit 3", "no memory")):
        program.write_text(f"#!/bin/sh\n{text}\n")
        with pytest.raises(ToolError, match=told):
            tool.evaluate(PROBLEMS["hello"], "square", 8.0)


def test_the_table_has_a_line_for_each_tool(
    copy_of_gradbench: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command_line, "limit_threads", lambda _: None)  # it would hold for the tests that follow
    options = "--problems hello --tools manual,echo,absent --rounds 1 --gradbench"
    assert command_line.main([*options.split(), str(copy_of_gradbench), "--python", sys.executable]) == 0
    manual, echo, absent = (line.split() for line in capsys.readouterr().out.splitlines() if line.startswith("hello"))
    assert manual == ["hello", "x=8", "manual", "2", "µs", "-", "double", "2", "µs", "-", "1.00"]
    assert echo[:12] == ["hello", "x=8", "echo", "4", "µs", "2.00", "double", "-", "-", "-", "disagrees:", "result"]
    assert absent[2:6] == ["absent", "no", "tool", "absent"]
