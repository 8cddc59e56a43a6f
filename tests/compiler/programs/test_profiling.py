"""A report says what the kernels of a program are, and leaves the program and its state as they are."""

import numpy as np
import pytest

import fastgrad as tf
from fastgrad._src.compiler.programs.profiling import profile
from fastgrad._src.compiler.programs.program import Program
from fastgrad._src.scalars.formulas import FUNCTION_COST
from tests.compiler.recorded import record


def program_of_a_step(counts):
    w = tf.Variable(np.ones((4, 3)))

    def step(x):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.square(x @ w - 1.0))
        w.assign_sub(0.1 * tape.gradient(loss, w))
        if counts and loss > 0.5:
            return loss * 2.0
        return loss

    graph, _ = record(step, np.full((5, 4), 0.3))
    return Program(graph), w


def test_rows_are_the_steps():
    program, w = program_of_a_step(False)
    before = w.numpy()
    report = profile(program, "step")
    np.testing.assert_array_equal(w, before)
    steps = sum(len(a.launches.launches) if a.launches else 1 for a in program.plan.actions)
    assert len(report.rows) == steps
    assert report.kernels == sum(row.native for row in report.rows)
    assert report.kernels + len(report.without_kernels) == steps
    assert all(row.microseconds >= 0 for row in report.rows)
    assert report.microseconds > 0
    product = next(row for row in report.rows if "matmul" in row.operations)
    assert product.flops == 2 * 5 * 4 * 3
    assert product.bytes == 8 * (5 * 4 + 4 * 3 + 5 * 3)
    replayed = program([np.full((5, 4), 0.3)])
    assert np.isfinite(replayed[0])


def test_a_batch_of_products_counts_each_once():
    graph, _ = record(lambda x: tf.matmul(x, x, transpose_b=True), np.full((6, 5, 4), 0.3))
    rows = profile(Program(graph), "products").rows
    assert sum(row.flops for row in rows if "matmul" in row.operations) == 2 * 6 * 5 * 4 * 5


def test_a_function_counts_as_its_arithmetic():
    graph, _ = record(lambda x: tf.exp(x) + 1.0, np.full((6, 5), 0.3))
    (row,) = profile(Program(graph), "a function").rows
    assert row.flops == 6 * 5 * (FUNCTION_COST + 1)


def test_a_gather_and_a_product_are_rows_of_their_own():
    arrays = np.ones((100, 8), np.float32), np.arange(60), np.ones((8, 4), np.float32)
    graph, _ = record(lambda x, ids, w: tf.gather(x, ids) @ w, *arrays)
    gather, product = profile(Program(graph), "rows").rows
    assert (gather.name, gather.flops) == ("gather_blocks", 0)
    assert (product.name, product.flops) == ("gemm", 2 * 60 * 8 * 4)


ROWS, WIDTH, COUNT = 10_000, 8, 60
TABLE, IDS = np.ones((ROWS, WIDTH), np.float32), np.arange(COUNT)
READ = COUNT * WIDTH * 4  # bytes of the rows that are meant


def rows_of(function, *arrays):
    graph, _ = record(function, *arrays)
    return [row for row in profile(Program(graph), "rows").rows if row.name != "copy_bytes"]


@pytest.mark.parametrize(
    ("read", "ids"),
    [
        (tf.gather, IDS),
        (lambda x, ids: tf.gather_nd(x, ids[:, tf.newaxis]), IDS),
    ],
    ids=["gather", "gather_nd"],
)
def test_a_gather_computes_nothing_and_reads_the_rows_that_are_meant(read, ids):
    rows = rows_of(read, TABLE, ids)
    assert sum(row.flops for row in rows) == 0
    assert sum(row.bytes for row in rows) == 2 * READ + ids.nbytes


def test_a_gather_of_more_rows_than_there_are_reads_each_once():
    (row,) = rows_of(tf.gather, TABLE[:5], IDS % 5)
    assert row.bytes == 5 * WIDTH * 4 + READ + IDS.nbytes


def test_a_scatter_changes_the_rows_that_are_meant():
    updates = np.ones((COUNT, WIDTH), np.float32)
    rows = rows_of(lambda x, ids, u: tf.tensor_scatter_nd_add(x, ids[:, tf.newaxis], u), TABLE, IDS, updates)
    assert sum(row.flops for row in rows) == COUNT * WIDTH
    assert sum(row.bytes for row in rows) == 3 * READ + IDS.nbytes


@pytest.mark.parametrize(
    ("make", "tables"),
    [
        (lambda: tf.keras.optimizers.SGD(0.1), 1),
        (lambda: tf.keras.optimizers.Adagrad(0.1), 2),
        (lambda: tf.keras.optimizers.SGD(0.1, momentum=0.9), 2),
        (lambda: tf.keras.optimizers.Adam(0.1), 3),
    ],
    ids=["SGD", "Adagrad", "momentum", "Adam"],
)
def test_an_update_of_rows_counts_the_rows_that_it_changes(make, tables):
    optimizer, table = make(), tf.Variable(TABLE)

    @tf.function
    def step(ids):
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(tf.square(tf.gather(table, ids)))
        optimizer.apply_gradients([(tape.gradient(loss, table), table)])
        return loss

    for _ in range(3):
        step(tf.constant(IDS))
    (tree,) = step.trace_tree.compiled
    rows = profile(tree.program, "step").rows
    update = next(row for row in rows if "apply_update" in row.operations)
    live = ROWS if tables > 1 and "live" in update.operations else 0  # a byte a row
    assert 0 < update.flops <= tables * COUNT * WIDTH
    assert update.bytes <= 2 * tables * READ + READ + IDS.nbytes + 2 * live + 100
    assert all(row.bytes < TABLE.nbytes / 4 for row in rows)


def test_text_and_page():
    report = profile(program_of_a_step(True)[0], "a <step>")
    text = str(report)
    assert text.startswith(f"a <step>: {report.kernels} kernels")
    assert len(text.splitlines()) == 3 + len(report.rows)
    assert "GFLOP/s" in text
    page = report.html()
    assert "a &lt;step&gt;" in page
    assert page.count("<tr") == 1 + len(report.rows)


def test_functions_report_their_kernels_and_call_nothing_of_the_users():
    calls = []
    v = tf.Variable([1.0, 2.0])

    @tf.function
    def step(x):
        y = tf.py_function(lambda a: calls.append(1) or a, [x], tf.float32)
        loops = tf.while_loop(lambda i: tf.reduce_sum(i) < 10.0, lambda i: i * 2.0, [tf.abs(x) + 1.0])[0]
        v.assign_add(tf.reshape(loops, (2,)) + tf.reshape(y, (2,)))
        return v.value()

    for _ in range(4):
        step(tf.constant([1.0, 2.0]))
    before, count = v.numpy(), len(calls)
    text = step.report()
    assert "GFLOP/s" in text
    assert "while_loop" in text
    np.testing.assert_array_equal(v, before)
    assert len(calls) == count


def test_the_table_has_a_line_for_each_operation():
    graph, _ = record(lambda x: tf.stack([x, tf.sin(x), tf.cos(x)]), np.full((5, 4), 0.3))
    report = profile(Program(graph), "step")
    copies = [row for row in report.rows if row.name == "move"]
    assert len(copies) > 1
    assert [row.further for row in copies] == [False, *[True] * (len(copies) - 1)]
    lines = str(report).splitlines()
    (line,) = [line for line in lines if line.startswith("move")]
    assert line.startswith(f"move ({len(copies)} kernels)")
    assert line.endswith("stack float64[3, 5, 4]")
    assert report.html().count("<tr") == len(lines) - 2


def test_the_end_of_a_way_is_no_line_of_the_table():
    program, _ = program_of_a_step(True)
    report = profile(program, "step")
    assert not any(line.startswith("end_program") for line in str(report).splitlines())
