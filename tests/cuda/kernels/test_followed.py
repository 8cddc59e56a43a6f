"""Maps in the kernels of the products that they follow, on a simulated GPU against their operations; and their machine code."""

import re

import numpy as np
import pytest

import fastgrad as tf
from fastgrad.compiler.fusion.epilogues import Product, add_epilogues
from fastgrad.compiler.fusion.fuse import fuse
from fastgrad.compiler.graph.graph import Kind
from fastgrad.compiler.passes.decompose import decompose
from fastgrad.compiler.programs.pipeline import simplified
from fastgrad.cuda.kernels import products
from fastgrad.cuda.kernels.choice import launches_on_device
from fastgrad.cuda.kernels.followed import can_be_followed, followed_launches
from fastgrad.cuda.kernels.products import LARGE, MIDDLE, SMALL
from tests.compiler.test_replay import record
from tests.cuda.codegen.linking import WIDE_LOAD, WIDE_SHARED_LOAD, WIDE_STORE, machine_code, ptx_of
from tests.cuda.kernels.groups import assert_the_same_on_device

F32 = np.float32


def numbers(*shape, dtype=F32):
    return np.random.default_rng(sum(shape)).normal(size=shape).astype(dtype)


def dense(x, w, b):
    return tf.nn.relu(tf.matmul(x, w) + b)


def gelu(x, w, b):
    return tf.nn.gelu(tf.matmul(x, w) + b, approximate=True)


PROGRAMS = {
    "bias": (dense, (9, 7), (7, 12), (12,)),
    "bias, sizes that are no fours": (dense, (5, 9), (9, 7), (7,)),
    "a scalar": (dense, (5, 9), (9, 8), ()),
    "a number for each row": (dense, (33, 6), (6, 8), (33, 1)),
    "a residual": (dense, (6, 8), (8, 36), (6, 36)),
    "a residual that is the product's own operand": (lambda x: x @ x + x, (8, 8)),
    "batches": (dense, (3, 5, 4), (3, 4, 8), (5, 8)),
    "rows of several batches": (dense, (3, 5, 4), (4, 8), (3, 1, 8)),
    "a transposed matrix": (lambda x, w: tf.exp(tf.matmul(x, w, transpose_a=True, transpose_b=True)), (7, 9), (5, 7)),
    "a column": (dense, (9, 4), (4, 1), (9, 1)),
    "a function": (gelu, (6, 8), (8, 12), (12,)),
    "two results": (lambda x, w: [(y := tf.matmul(x, w)) * 2.0, tf.tanh(y)], (4, 3), (3, 8)),
    "every second of a row": (lambda x, w, b: x @ w + b[:, ::2], (4, 3), (3, 8), (4, 16)),
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_map_is_done_with_the_products_sums(name):
    program, *shapes = PROGRAMS[name]
    (launch,) = assert_the_same_on_device(program, *[numbers(*shape) for shape in shapes], threads=64)
    assert launch.kernel.kernel.name.startswith("fused_")


def test_float64_products_have_float32_functions_behind_them():
    def program(x, w):
        return tf.exp(tf.cast(tf.matmul(x, w), tf.float32))

    found = assert_the_same_on_device(program, *[numbers(*s, dtype=np.float64) for s in ((6, 5), (5, 8))], threads=64)
    assert [dict(launch.kernel.dtypes) for launch in found] == [{"S": "float64", "T": "float32"}]


def test_sums_in_parts_are_followed_where_they_are_added_up(monkeypatch):
    monkeypatch.setattr(products, "PART", 40)
    found = assert_the_same_on_device(dense, numbers(9, 171), numbers(171, 12), numbers(12), threads=64)
    assert [launch.kernel.kernel.name[:6] for launch in found] == ["produc", "fused_"]
    found = assert_the_same_on_device(dense, numbers(5, 171), numbers(171, 6), numbers(5, 6), threads=64)
    assert len(found) == 2


def followed_nodes(program, *arrays):
    graph = decompose(simplified(record(program, *arrays)[0]))
    return [node for node in add_epilogues(fuse(graph), can_be_followed).nodes if node.kind is Kind.FUSED]


def test_products_of_bfloat16_are_rounded_and_followed_in_one_kernel():
    x, w, b = (tf.cast(numbers(*shape), tf.bfloat16).numpy() for shape in ((6, 5), (5, 8), (8,)))
    (node,) = followed_nodes(dense, x, w, b)
    names = [launch.kernel.kernel.name[:6] for launch in launches_on_device(node).launches]
    assert names == ["widen_", "widen_", "fused_"]


@pytest.mark.parametrize(
    ("program", "shapes"),
    [
        (dense, [(1, 530), (530, 70), (70,)]),
        (lambda x, w: tf.nn.relu(tf.nn.conv2d(x, w, 1, "SAME")), [(1, 4, 4, 8), (3, 3, 8, 8)]),
    ],
)
def test_rows_with_large_matrices_and_convolutions_are_followed_by_launches(program, shapes):
    assert not any(
        isinstance(node.payload, Product) for node in followed_nodes(program, *[numbers(*s) for s in shapes])
    )


def test_a_map_in_other_rows_is_a_launch():
    found = assert_the_same_on_device(
        lambda x, w, b: tf.reshape(x @ w, (6, 2, 4)) * b, numbers(6, 3), numbers(3, 8), numbers(6, 2, 1), threads=64
    )
    assert len(found) == 2


@pytest.mark.parametrize("tile", [SMALL, MIDDLE, LARGE])
@pytest.mark.parametrize("body", [dense, gelu])
def test_machine_code(monkeypatch, tile, body):
    monkeypatch.setattr(products, "tile_of", lambda *_: tile)
    monkeypatch.setattr(products, "parts_of", lambda *_: 1)
    (node,) = followed_nodes(body, numbers(256, 64), numbers(64, 256), numbers(256))
    (launch,) = followed_launches(node.payload).launches
    kernel, dtypes = launch.kernel
    for capability in (80, 90, 100) if body is dense else (90,):
        text = ptx_of(kernel, dtypes, capability)
        assert ".local" not in text
        assert ".f64" not in text
        for access in (WIDE_LOAD, WIDE_SHARED_LOAD, WIDE_STORE):
            assert re.search(access, text), access
        cubin = machine_code(text, capability)
        assert cubin.spills == cubin.stack == 0
        assert cubin.registers * tile.threads <= 65536
