"""Calls of every kernel of the library with small arrays: scenes, for this test and for valgrind's.

    python -m tests.kernels.every_kernel unused.json rows windows

runs two scenes and writes the names of the kernels that they do not use. Arrays and functions are those of the tests of kernels where these have some.
"""

from __future__ import annotations

import gc
import importlib
import json
import pkgutil
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

import fastgrad as tf
import fastgrad._src.kernels
from fastgrad._src.compiler.programs.lowering import launches_of_row
from fastgrad._src.core.operation import TABLE
from fastgrad._src.jit.build import Kernel
from fastgrad._src.kernels.runtime.launch import run_launches

USED: set[tuple[int, tuple[str, ...]]] = set()
"""The identity and the dtypes of kernels that were asked for."""


def all_kernels() -> list[Kernel]:
    """All kernels of the library."""
    for module in pkgutil.walk_packages(fastgrad._src.kernels.__path__, "fastgrad._src.kernels."):
        importlib.import_module(module.name)
    gc.unfreeze()  # tests/conftest.py hides objects from the garbage collector, which tells of the kernels
    return [one for one in gc.get_objects() if isinstance(one, Kernel)]


def watch_kernels() -> None:
    """Keeps in `USED` which kernels are used from now on."""
    build = Kernel._build

    def built(kernel: Kernel, variables: dict[str, str]) -> Callable[..., Any]:
        USED.add((id(kernel), tuple(variables.values())))
        return build(kernel, variables)

    Kernel._build = built  # type: ignore[method-assign]


def rows() -> Iterator[tuple[str, Any]]:
    """The rows of the tests of properties, now and by their launches."""
    from tests.kernels.every_property import PROPERTIES
    from tests.kernels.properties import results_of

    for number, known in enumerate(PROPERTIES):
        for dtype in known.dtypes:
            for sizes in ((2, 3, 4, 5), (5, 7, 3, 2)):
                made, attributes = known.make(np.random.default_rng(1), dtype, *sizes[: known.sizes])
                arrays = [np.asarray(x) for x in made]
                results = results_of(known.name, arrays, attributes)
                outputs = [np.zeros(y.shape, y.dtype) for y in results]
                launches = launches_of_row(TABLE[known.name], arrays, outputs, attributes)
                if launches is not None and not launches.alias:
                    run_launches(launches, arrays, outputs, shares=2)
                yield f"row {known.name} {dtype} {sizes} {number}", [*results, *outputs]


def compiled(function: Callable[..., Any], *tensors: Any) -> Any:
    """What a compiled function gives in its third call: the first ones are recorded."""
    function = tf.function(function)
    return [function(*tensors) for _ in range(3)][-1]


def gradients() -> Iterator[tuple[str, Any]]:
    """The functions of the tests of gradients, now and in programs."""
    from tests.kernels.differentiable import DIFFERENTIABLE, gradients, weights_of

    for known in DIFFERENTIABLE:
        for dtype in ("float32", "float64"):
            values, more = known.make(np.random.default_rng(2), *(4, 6, 5, 3)[: known.sizes])
            tensors = [tf.constant(x.astype(dtype)) for x in values]

            def run(*tensors: Any, known: Any = known, more: Any = more) -> Any:
                return gradients(known.function, list(tensors), weights_of, more)

            yield f"gradient {known.name} {dtype}", run(*tensors)
            yield f"compiled gradient {known.name} {dtype}", compiled(run, *tensors)


def numbers() -> Iterator[tuple[str, Any]]:
    """The functions of numbers, in loops and as operations."""
    from tests.kernels.math import accuracy

    r = np.random.default_rng(0)
    x = np.concatenate([r.normal(size=20) * 3, [0.0, -0.0, np.inf, -np.inf, np.nan, 1e-40, 1e30, 1e-310, 1e7]])
    for dtype in ("float32", "float64"):
        for name in accuracy.KERNELS:
            yield f"{name} {dtype}", [accuracy.apply(name, x.astype(dtype))]
        for name in accuracy.PAIR_KERNELS:
            yield f"pairs {name} {dtype}", [accuracy.apply_pairs(name, x.astype(dtype), x[::-1].astype(dtype))]
        for kernel in vars(importlib.import_module("fastgrad._src.kernels.elementwise.transcendental")).values():
            if isinstance(kernel, Kernel):
                y = np.zeros(x.size, dtype)
                operands = [x.astype(dtype), x[::-1].astype(dtype)][: len(kernel.signature.parameters) - 3]
                kernel[dtype](*operands, y, 0, x.size)
                yield f"kernel {kernel.__name__} {dtype}", [y]


def windows() -> Iterator[tuple[str, Any]]:
    """Convolutions and pooling."""
    from fastgrad._src.kernels.convolution.pooling import max_pool_argmax_launches
    from tests.kernels.convolution import convolutions, poolings

    for dtype in ("float32", "float64", "int32"):
        sizes, window = poolings.APART
        x = np.random.default_rng(3).integers(-3, 4, (2, *sizes, 3)).astype(dtype)
        if dtype != "int32":
            yield f"pooling {dtype}", poolings.computed(x, (2, 3, 4, 3), x[:, ::2, ::2].copy(), 2, **window)
            sizes, window = poolings.EMPTY_BETWEEN
            line = x[:, 0, :1].repeat(11, 1) + np.arange(11, dtype=dtype)[:, None]
            yield (
                f"pooling of a line {dtype}",
                poolings.computed(line, (2, 10, 3), line[:, :10].copy(), 2, **window),
            )
        for index in ("int32", "int64"):
            for with_batch in (False, True):
                y = x.reshape(2, 3, 2, 4, 2, 3).max((2, 4))
                given = {"dtype": index, "with_batch": with_batch, **poolings.APART[1]}
                found, places = (
                    max_pool_argmax_launches([x, y], [np.zeros(y.shape, index)], **given),
                    np.zeros(y.shape, index),
                )
                assert found is not None
                run_launches(found, [x, y], [places])
                yield f"winners {dtype} {index} {with_batch}", [places]
        for seed in range(15):
            x, w, strides, padding, dilations = convolutions.random_case(seed)
            if np.prod(x) * np.prod(w) < 1 << 15:
                *arrays, window = convolutions.arrays(x, w, strides, padding, dilations, dtype, seed)
                yield f"convolution {seed} {dtype}", convolutions.computed(*arrays, 2, **window)
        special = (
            "windows outside of the input only",
            "cells that no window has",
            "few channels, cells that no window has",
        )
        for name in special:
            *arrays, window = convolutions.arrays(*convolutions.SPECIAL[name], dtype)
            yield f"convolution {name} {dtype}", convolutions.computed(*arrays, **window)


def updates() -> Iterator[tuple[str, Any]]:
    """The rules of optimizers, for variables, rows and tables."""
    from fastgrad._src.kernels.optimizers import optimizers
    from fastgrad._src.kernels.optimizers.update_rule import ZERO_GRADIENT_MOVES, ZERO_GRADIENT_RESTS, unit_count
    from tests.kernels.optimizers.update_rules import RULES, _state

    for name, (slots, hyper, _) in RULES.items():
        rule = getattr(optimizers, name)
        for dtype in ("float32", "float64"):
            weights, held, gradients = _state([(7, 5), (), (0,), (5,)], slots, dtype)
            for _ in range(2):
                rule.variables_kernel[dtype](weights, *held, gradients, 0, unit_count(weights), *hyper)
            yield f"update {name} {dtype}", [*weights, *[one for slot in held for one in slot]]
        for kind, moves, index in (("rows", ZERO_GRADIENT_RESTS, "int64"), ("table", ZERO_GRADIENT_MOVES, "int32")):
            (table,), held, (gradient,) = _state([(9, 5)], slots, "float64")
            ids, of_table = np.array([1, 4, 8], index), [slot[0] for slot in held]
            rule.update_rows(moves, [table, *of_table], gradient[ids], ids, hyper)
            yield f"update of {kind} {name}", [table, *of_table]


def both(name: str, function: Callable[..., Any], *arrays: Any) -> Iterator[tuple[str, Any]]:
    """What a function of tensors gives now and compiled."""
    tensors = [tf.constant(x) for x in arrays]
    yield name, tf.nest.flatten(function(*tensors))
    yield f"compiled {name}", tf.nest.flatten(compiled(function, *tensors))


def training(make: Callable[[], Any], x: np.ndarray, optimizer: Any) -> list[Any]:
    """The weights and the loss of two steps with a new model, the second one of compiled steps."""
    tf.random.set_seed(1)
    model = make()
    model(tf.constant(x))
    for number, weight in enumerate(model.trainable_weights):
        weight.assign(np.random.default_rng(number).normal(size=weight.shape).astype(weight.dtype) / 3)

    def step(x: Any) -> Any:
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.square(model(x, training=True)))
        weights = model.trainable_weights
        optimizer.apply_gradients(zip(tape.gradient(loss, weights), weights, strict=True))
        return loss

    fast = tf.function(step)
    losses = [step(tf.constant(x)), *[fast(tf.constant(x)) for _ in range(3)]]
    return [*losses, *model.weights]


def models() -> Iterator[tuple[str, Any]]:
    """Training steps: dense layers, convolutions, an LSTM, embeddings, with each optimizer."""
    from tests.reliability.machines.programs import OPTIMIZERS

    layers = tf.keras.layers
    r = np.random.default_rng(0)
    rows, image = r.normal(size=(6, 5)).astype(np.float32), r.normal(size=(2, 8, 8, 3)).astype(np.float32)

    def dense() -> Any:
        names = ("relu", "tanh", "sigmoid", "gelu", "softplus")
        return tf.keras.Sequential([layers.Dense(4 + i, name) for i, name in enumerate(names)])

    def convolution() -> Any:
        return tf.keras.Sequential(
            [
                layers.Conv2D(4, 3, padding="same", use_bias=False),
                layers.BatchNormalization(),
                layers.ReLU(),
                layers.MaxPooling2D(),
                layers.DepthwiseConv2D(3),
                layers.AveragePooling2D(2),
                layers.Flatten(),
                layers.LayerNormalization(),
                layers.Dropout(0.3),
                layers.Dense(3),
            ]
        )

    def words() -> Any:
        return tf.keras.Sequential([layers.Embedding(20, 6), layers.LSTM(5), layers.Dense(2)])

    optimizers = tf.keras.optimizers
    yield "dense layers", training(dense, rows, optimizers.Adam(0.01))
    yield "clipped gradients", training(dense, rows, optimizers.SGD(0.01, momentum=0.9, global_clipnorm=0.5))
    yield "convolution", training(convolution, image, optimizers.Adam(0.01))
    yield "words", training(words, r.integers(0, 20, (3, 4)), optimizers.AdamW(0.01))
    for name in OPTIMIZERS:
        yield name, training(lambda: tf.keras.Sequential([layers.Dense(3)]), rows, getattr(optimizers, name)(0.01))


def control() -> Iterator[tuple[str, Any]]:
    """Loops and branches."""
    x = np.linspace(-1, 1, 6, dtype=np.float32)

    def collatz(x: Any) -> Any:
        def even(n: Any, y: Any) -> Any:
            return tf.switch_case(n % 2, [lambda: n // 2, lambda: 3 * n + 1]), y * 1.5

        n, y = tf.while_loop(lambda n, y: n > 1, even, [tf.constant(11), x])
        return n, tf.cond(tf.reduce_sum(y) > 0, lambda: y + 1, lambda: y - 1)

    def running(x: Any) -> Any:
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = tf.scan(lambda a, b: tf.tanh(a + b), x)
        return y, tape.gradient(y, x)

    def checked(x: Any) -> Any:
        tf.debugging.assert_less(x, 2.0)
        tf.debugging.assert_near(x, x)
        return tf.debugging.check_numerics(x, "x")

    yield from both("while", collatz, x)
    yield from both("scan", running, x)
    yield from both("checks", checked, x)


def others() -> Iterator[tuple[str, Any]]:
    """Operations that have tests of their own."""
    r = np.random.default_rng(5)
    for dtype in ("float32", "float64", "int32", "complex64"):
        a, b = [(9 * r.normal(size=shape)).astype(dtype) for shape in ((2, 5, 7), (2, 7, 4))]
        yield from both(f"products {dtype}", tf.matmul, a, b)
    pixels = r.integers(0, 256, (6, 7, 3)).astype(np.uint8)
    yield "png", np.frombuffer(tf.io.encode_png(pixels).numpy(), np.uint8)
    a = r.normal(size=(5, 7)).astype(np.float32)
    yield from both("clipped rows", lambda x: tf.clip_by_norm(x, 2.0, [1]), a)
    yield from both("distinct", lambda x: tf.unique_with_counts(tf.cast(x, "int32")[0]), a)
    yield from hashes()


def hashes() -> Iterator[tuple[str, Any]]:
    """Hashes of strings, and hash tables."""
    from fastgrad._src.files.formats.record_file import crc32c
    from fastgrad._src.ops.hash_tables import KeyIndex, distinct_elements
    from fastgrad._src.ops.text_hashes import hashes_of, sizes_of

    r = np.random.default_rng(8)
    texts = np.array([r.bytes(size) for size in (0, 3, 7, 8, 16, 20, 32, 40, 64, 65, 128, 150, 3)] + [b"\xc3\xa4"] * 2)
    texts = texts.astype(object)
    for function in ("murmur", "farm", "sip"):
        yield f"hashes {function}", [hashes_of(texts, function, key=(1, -1)), hashes_of(texts, function, 1000)]
    yield "checksums", [np.array([crc32c(text) for text in texts], np.uint32)]
    yield "lengths", [tf.strings.length(tf.constant(texts), unit) for unit in ("BYTE", "UTF8_CHAR")]
    yield "sizes", [sizes_of(texts), sizes_of(tf.strings.substr(texts, 0, 2).numpy())]
    for texts_of_numbers in (["1", "-25", " 7", "300"], ["1.5", "-.25", "1e3", "7."]):
        dtype = tf.float64 if "1.5" in texts_of_numbers else tf.int64
        yield f"numbers {dtype}", [tf.strings.to_number(texts_of_numbers, dtype)]
    made = {
        "integers": tf.strings.as_string(tf.constant([0, -1, 10**17, 2**63 - 1])),
        "floats": tf.strings.as_string(tf.constant([0.5, -0.0, 1e9, 2.0**-21, 0.9999999])),
        "words": tf.strings.split(tf.constant([" a bc\t", "", "d"])).flat_values,
        "parts": tf.strings.substr(tf.constant(["\u00e4b\u20ac", "cd"]), -2, 1, "UTF8_CHAR"),
    }
    for name, strings in made.items():
        yield name, [hashes_of(strings.numpy(), "farm")]
    for unit in (["a\u00e4\u20ac", "\U0001f600"], [b"\xff"]):
        yield f"characters {unit}", [tf.strings.unicode_decode(tf.constant(unit), "UTF-8").flat_values]
    numbers = {dtype: r.integers(-30, 30, 700).astype(dtype) for dtype in ("int32", "int64", "float32", "float64")}
    for keys in (texts, *numbers.values()):
        for dtype in ("int32", "int64"):
            yield f"distinct {keys.dtype} {dtype}", distinct_elements(keys, dtype)
        if keys.dtype.kind != "f":
            table = KeyIndex(keys[distinct_elements(keys, "int64")[0]][::2])
            yield f"positions {keys.dtype}", [table.positions_of(keys)]


def products_of_bfloat16() -> Iterator[tuple[str, Any]]:
    """Products that a processor's own instruction rounds otherwise."""
    a = np.random.default_rng(5).normal(size=(5, 7)).astype(np.float32)
    yield from both(
        "product of bfloat16", lambda x: tf.matmul(tf.cast(x, "bfloat16"), tf.cast(tf.transpose(x), "bfloat16")), a
    )


def calls() -> Iterator[tuple[str, Any]]:
    """Kernels that operations take for larger arrays, called with small ones."""
    from fastgrad._src.jit.isa import host_isa

    r = np.random.default_rng(6)

    def call(key: Any, *arguments: Any, of: str) -> tuple[str, Any]:
        room, name = of.rsplit(".", 1)
        kernel = getattr(importlib.import_module(f"fastgrad._src.kernels.{room}"), name)
        answer = kernel[key](*arguments)
        arrays = [y for x in arguments for y in (x if isinstance(x, list) else [x]) if isinstance(y, np.ndarray)]
        return f"call {of} {key}", [*arrays, -1 if answer is None else answer]

    for dtype in ("int32", "int64"):
        order, scratch = np.zeros((2, 40), np.int64)
        yield call(
            dtype, r.integers(0, 5000, 40).astype(dtype), order, scratch, 40, 5000, of="movement.embedding.order_ids"
        )
    for dtype in ("float32", "float64"):

        def x(*shape: int, dtype: str = dtype) -> np.ndarray:
            return r.normal(size=shape).astype(dtype)

        def wide(*shape: int) -> np.ndarray:
            return r.normal(size=shape)

        panels = -(-30 * np.dtype(dtype).itemsize // host_isa().panel_bytes)
        yield call((dtype, dtype), x(3, 70), x(3), 70, 70, 1, 70, 0, 3, of="reduction.large_sums.sum_along")
        yield call((dtype, "float64"), x(3, 70), wide(3, 2), 70, 35, 2, 1, 0, 6, of="reduction.large_sums.sum_along")
        yield call(dtype, x(9, 7), x(9), 7, 7, 0, 9, of="reduction.large_sums.sum_short_rows")
        yield call((dtype, dtype), x(2, 20, 5), x(2, 5), 20, 5, 20, 1, 2, 1, 0, 2, of="reduction.large_sums.sum_across")
        yield call(dtype, wide(3, 4), x(4), 3, 1, 4, 2, 0, 4, of="reduction.large_sums.add_totals")
        for sign in (1, -1):
            yield (
                f"{sign}",
                call(dtype, x(20, 9), x(20), 9, 9, 1, sign, 0, 20, of="reduction.narrow_extremes.row_extremes")[1],
            )
            yield (
                f"parts {sign}",
                call(dtype, x(3, 300), x(6), 300, 160, 2, sign, 0, 6, of="reduction.narrow_extremes.row_extremes")[1],
            )
            yield (
                f"columns {sign}",
                call(dtype, x(2, 5, 7), x(2, 7), 5, 7, sign, 0, 2, of="reduction.narrow_extremes.column_extremes")[1],
            )
        for name in ("gelu_gradient", "gelu_tanh_gradient", "sigmoid_cross_entropy"):
            yield call(dtype, x(20), x(20), x(20), 0, 20, of=f"elementwise.activation.{name}")
        for name in ("sigmoid", "softplus", "gelu", "gelu_tanh", "elu", "selu", "slope_of_selu"):
            yield call(dtype, x(20), x(20), 0, 20, of=f"elementwise.activation.{name}")
        yield call(dtype, x(3, 10), x(10), 3, 10, 0, 0, 0, 10, of="gemm.gemm.add_chains")
        yield call(dtype, x(33), x(33, 80), x(80), 80, 33, 80, 1, 0, 0, 0, 2, of="gemm.gemv.gemv")
        yield call(dtype, x(30, 20), x(20, 30), 20, 30, 0, panels, of="gemm.transpose.transpose_matrix")
        yield call(dtype, wide(3, 5), x(5), 3, 5, 0, 5, of="gemm.column_sums.add_blocks")
        sums = x(9, 5), x(9, 5), x(9), x(9), x(2, 2, 5)
        yield call(dtype, *sums, 9, 5, 0, 2, of="reduction.normalization.layer_norm_parameter_sums")
        yield call(dtype, x(2, 2, 5), x(5), x(5), 2, 5, 0, 5, of="reduction.normalization.add_parameter_sums")
        several = [x(7), x(300)]
        yield call(dtype, several, wide(2), 0, 2, of="optimizers.norms.sums_of_squares_of_blocks")
        yield call(dtype, several, wide(2), wide(2), of="optimizers.norms.sums_of_squares_of_arrays")
        for index in ("int32", "int64"):
            ids, number = np.array([0, 3, 8], index), np.array([3])
            yield call(
                (dtype, index), x(9, 5), x(3, 5), ids, number, 9, 5, 0, 3, of="movement.embedding.add_summed_rows"
            )
        yield from numbers_of_steps(dtype)
    for dtype in ("float32", "float64", "int32"):
        yield call(
            dtype,
            r.integers(-9, 9, (3, 10)).astype(dtype),
            np.zeros(10, dtype),
            3,
            10,
            0,
            10,
            of="convolution.patches.add_chunks",
        )
        places = 1, 3, 4, 2, 0, 1, 1, 1, 5, 6, 0, 30
        yield call(dtype, np.arange(24).astype(dtype), np.zeros(60, dtype), *places, of="convolution.convolution.pad")
    for dtype in ("uint32", "uint64"):
        matrix = np.arange(99).astype(dtype)
        for name in ("move_tiles", "transpose_tiles"):
            places = 1, 9, 11, 0, 0, 1, 9, 0, 0, 11, 1
            yield call(dtype, matrix, np.zeros(99, dtype), *places, 0, 1, of=f"movement.strided.{name}")
    for dtype in ("int8", "int64", "uint32"):
        yield call(
            dtype,
            np.arange(12).astype(dtype),
            np.zeros(3, dtype),
            4,
            0,
            3,
            of="reduction.general.integer_norms_of_rows",
        )
    table = np.array([1, 4, 0, 7])
    for dtype in ("float32", "int32", "uint8"):
        for name, more in (("jump_by_truth", (table, 2)), ("check_truth", (1,))):
            yield call(dtype, np.array([3], dtype), *more, of=f"runtime.copies_and_jumps.{name}")
    yield call("int32", np.array([1], np.int32), table, 2, of="runtime.copies_and_jumps.jump_by_value")
    yield call("int32", np.array([1], np.int32), 1, of="runtime.copies_and_jumps.check_value")
    yield call((), 3, of="runtime.copies_and_jumps.end_program")
    yield call((), np.ones(3, np.uint8), np.zeros(1, np.uint8), 0, 3, of="elementwise.checking.first_false")
    for name, kind in (("completed_rounds", np.int64), ("is_last_of_round", np.uint8)):
        yield call((), np.array([5]), np.zeros(1, kind), 3, of=f"optimizers.optimizers.{name}")


def numbers_of_steps(dtype: str) -> Iterator[tuple[str, Any]]:
    """Kernels that run the steps of others: what follows a product, and the drivers of programs."""
    from fastgrad._src.kernels.gemm import epilogue
    from fastgrad._src.kernels.gemm.steps import product_launches
    from fastgrad._src.kernels.optimizers.norms import sums_of_squares_of_blocks
    from fastgrad._src.kernels.runtime import driver
    from fastgrad._src.kernels.runtime.eager_launch import EagerFrame
    from fastgrad._src.kernels.runtime.launch import Input, Launch, Launches, Output

    r = np.random.default_rng(7)
    a, b = r.normal(size=(9, 6)).astype(dtype), r.normal(size=(6, 8)).astype(dtype)
    tanh = importlib.import_module("fastgrad._src.kernels.elementwise.transcendental").tanh[dtype]
    maps = [Launch(tanh, (Output(0), Output(number)), 72) for number in (1, 2)]
    for name, launch in (
        ("in turn", epilogue.combined_maps(*maps)),
        ("by rows", epilogue.row_unit_launch(Launch(tanh, (Output(0), Output(1)), 72), 9, 1)),
    ):
        outputs = [np.zeros((9, 8), dtype) for _ in range(3)]
        run_launches(product_launches([a, b], epilogue=launch), [a, b], outputs)
        yield f"{name} {dtype}", outputs

    found = Launches((Launch(sums_of_squares_of_blocks[dtype], ((Input(0),), Output(0)), 1),))
    sums = np.zeros(1)
    frame = EagerFrame(found, (a,), (sums,))
    pool = np.zeros(driver.FIRST_PARKED_FLAG + 2 * driver.CACHE_LINE_WORDS, np.int64)
    pool[driver.THREADS] = 1
    driver.begin_without_gil[()]((a, sums), frame.words, 1)
    yield f"begin_without_gil {dtype}", [sums.copy()]
    driver.continue_without_gil[()](frame.words, 0, 1)
    frame = EagerFrame(
        Launches((Launch(tanh, (Input(0), Output(0)), 54),)), (a,), (outputs[0].reshape(-1)[:54].reshape(9, 6),)
    )
    table = (frame.words[driver.STEPS] - frame.words.ctypes.data) // 8
    frame.words[table + 3] = 4  # shares
    y = np.zeros_like(a)
    driver.begin_on_pool[()]((a, y), frame.words, pool, 1)
    yield f"begin_with_team {dtype}", [y.copy()]
    y[:] = 0
    driver.continue_on_pool[()](frame.words, pool, 0, 1)
    pool[driver.QUIT] = 1
    yield f"go_on_with_team {dtype}", [y, driver.run_worker[()](pool, 0, 3), driver.clock_ticks[()]() > 0]


SCENES = rows, gradients, numbers, windows, updates, models, control, others, calls, products_of_bfloat16


def main(path: str, *names: str) -> None:
    """Runs the scenes with some names, and writes which kernels they do not use."""
    known = all_kernels()
    watch_kernels()
    for scene in SCENES:
        if scene.__name__ not in names:
            continue
        start = time.process_time()
        for _ in scene():
            pass
        print(scene.__name__, time.process_time() - start)
    used = {number for number, _ in USED}
    # Collectives need a launcher of processes: tests/distribute uses them.
    alone = [
        kernel for kernel in known if not kernel.function.__module__.startswith("fastgrad._src.kernels.collectives.")
    ]
    unused = {kernel.__name__ for kernel in alone if id(kernel) not in used}
    with open(path, "w", encoding="utf-8") as file:
        json.dump(sorted(unused), file)


if __name__ == "__main__":
    main(*sys.argv[1:])
