"""Fused groups on a simulated GPU, against their operations; and their machine code."""

import re

import numpy as np
import pytest

import fastgrad as tf
from fastgrad._src.cuda.kernels import reductions
from fastgrad._src.cuda.kernels.choice import GPU_TARGET
from tests.compiler.fusion.reduction_cases import AXES, SHAPES, beside_its_maximum, numbers
from tests.cuda.codegen.linking import machine_code, ptx_of
from tests.cuda.kernels.groups import assert_the_same_on_device
from tests.cuda.simulation.lock_step import run_on_simulation
from tests.kernels.in_place import written_over

F32 = np.float32


def compiled(launches, capability=90):
    """The PTX of the kernels, none of which has a stack, calls, or computes in float64."""
    texts = []
    for launch in launches:
        text = ptx_of(launch.kernel.kernel, launch.kernel.dtypes, capability)
        assert ".local" not in text
        assert not re.search(r"\bcall", text)
        assert ".f64" not in text
        texts.append(text)
    return texts


def linked(launches):
    for capability in (80, 90, 100):
        for text in compiled(launches, capability):
            cubin = machine_code(text, capability)
            assert cubin.spills == cubin.stack == 0


def chain(x, y, b):
    return tf.tanh(x * y + b) * tf.exp(-y) - x, tf.nn.gelu(x) + b


@pytest.mark.parametrize("shape", [(1,), (7,), (256,), (1030,), (3, 5), (4, 8), (33, 12), (2, 3, 4), (2, 1, 6)])
def test_maps_of_any_size(shape):
    x, y, b = numbers(*shape, dtype=F32), numbers(*shape[:-1], 1, dtype=F32), numbers(shape[-1], dtype=F32)
    x.flat[0] = np.nan
    assert_the_same_on_device(chain, x, y, b)
    assert_the_same_on_device(chain, *[a.astype(np.float64) for a in (x, y, b)])


def test_maps_of_all_dtypes():
    x, k = numbers(6, 20, dtype=F32), np.arange(20, dtype=np.int32)

    def program(x, k):
        half = tf.cast(x, tf.bfloat16)
        return half * half + tf.cast(1.5, tf.bfloat16), tf.where(x > 0.0, k, -k), tf.cast(x, tf.float16), x != x

    assert_the_same_on_device(program, x, k)


def test_any_strides():
    x = numbers(3, 4, 8, dtype=F32)

    def program(x):
        return tf.transpose(x, [2, 0, 1]) * 2.0 + 1.0, x[:, ::-1, 1:5] * x[0, 0, :4]

    assert_the_same_on_device(program, x)


@pytest.mark.parametrize("dtype", [F32, np.float64])
@pytest.mark.parametrize("shape", SHAPES)
def test_any_shape_over_any_axes(shape, dtype):
    x = numbers(*shape, dtype=dtype)

    def program(x):
        return [tf.reduce_sum(x * x, axis=axes) for axes in AXES]

    assert_the_same_on_device(program, x, threads=64)


@pytest.mark.parametrize("axis", [0, 1, None])
def test_all_ways_to_reduce(axis):
    x = numbers(9, 40, dtype=F32)
    k = np.random.default_rng(1).integers(-3, 4, (9, 40))
    ways = [tf.reduce_mean, tf.reduce_max, tf.reduce_min, tf.reduce_prod, tf.math.reduce_euclidean_norm]
    whole = [tf.reduce_sum, tf.reduce_max, tf.reduce_prod]

    def program(x, k):
        bits = tf.cast(k, tf.int8)
        return [
            *[way(x, axis=axis) for way in ways],
            *[way(k, axis=axis) for way in whole],
            *[way(bits, axis=axis) for way in whole],
            tf.reduce_any(x > 2.5, axis=axis),
            tf.reduce_all(x > -2.5, axis=axis),
            tf.reduce_sum(tf.cast(x, tf.bfloat16), axis=axis),
        ]

    launches = assert_the_same_on_device(program, x, k, threads=64, rtol=1e-2 if axis is None else 1e-5)
    for launch in launches:
        ptx_of(launch.kernel.kernel, launch.kernel.dtypes, 80)


def test_nan_and_infinity_are_found():
    x = numbers(6, 50, dtype=F32)
    x[1, 3], x[2, 4], x[3, 5] = np.nan, np.inf, -np.inf
    assert_the_same_on_device(
        lambda x: [w(x, axis=a) for w in (tf.reduce_max, tf.reduce_min, tf.reduce_sum) for a in (0, 1)], x
    )


def softmax(x):
    e = tf.exp(x - tf.reduce_max(x, axis=1, keepdims=True))
    return e / tf.reduce_sum(e, axis=1, keepdims=True)


def normalized(x):
    centred = x - tf.reduce_mean(x, axis=0)
    return centred / tf.sqrt(tf.reduce_mean(centred * centred, axis=0) + 1e-3)


@pytest.mark.parametrize("program", [softmax, normalized])
@pytest.mark.parametrize("shape", [(3, 1), (2, 7), (5, 132), (70, 33)])
def test_reduced_values_go_back_into_their_elements(program, shape):
    launches = assert_the_same_on_device(program, numbers(*shape, dtype=F32), threads=64)
    linked(launches)


def test_long_reductions_are_cut(monkeypatch):
    monkeypatch.setattr(reductions, "MOST_TERMS_OF_A_THREAD", 1)
    for shape, axis in (((2, 1000), 1), ((300, 40), 0), ((700,), 0)):
        launches = assert_the_same_on_device(
            lambda x, axis=axis: tf.reduce_mean(x * x, axis=axis), numbers(*shape, dtype=F32), threads=64
        )
        assert len(launches) == 2


@pytest.mark.parametrize("axis", [0, 1])
def test_what_a_loop_reads_for_another_result_may_be_written_over(axis):
    """The kernel for it does not read through the cache of constants, which does not know of stores."""
    group = beside_its_maximum(axis)
    found, arrays = reductions.gpu_reduction_launches(group), [numbers(40, 300, dtype=F32), numbers(40, 300, dtype=F32)]
    assert found.in_place == ((0, 0), (1, 0), (0, 1))
    wanted = group.run(*arrays)
    for output, number in found.in_place:
        given, outputs = [x.copy() for x in arrays], [np.empty((40, 300), F32) for _ in range(2)]
        outputs[output] = given[number]
        same = written_over(found, given, outputs, {output: number}, GPU_TARGET.compiler)
        assert run_on_simulation(same, given, outputs) is None
        for y, z in zip(outputs, wanted, strict=True):
            np.testing.assert_allclose(y, z, rtol=1e-6)
        (distinct,), (text,) = compiled(found.launches), compiled(same.launches)
        assert "ld.global.nc" in distinct
        assert "ld.global.nc" not in text
