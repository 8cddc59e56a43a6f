"""The bits of results are the same for every width of vectors (`FASTGRAD_LANES`), whatever the machine has."""

import hashlib
import json
import os
import pathlib
import platform
import shutil
import subprocess
import sys

import numpy as np
import pytest

import fastgrad as tf
from fastgrad.ops.attention import attention
from fastgrad.ops.normalization import layer_normalization
from tests.kernels.convolution import test_convolution
from tests.kernels.gemm import test_gemm
from tests.kernels.math.accuracy import FLOATS, KERNELS

ROOT = pathlib.Path(__file__).parents[3]

ARRAYS = {
    "matmul": lambda x: tf.matmul(x, x, transpose_b=True),
    "matmul of columns": lambda x: tf.matmul(x, x, transpose_a=True),
    "matrix by vector": lambda x: tf.linalg.matvec(x, x[0]),
    "sums of all": tf.reduce_sum,
    "sums of rows": lambda x: tf.reduce_sum(x, 1),
    "sums of columns": lambda x: tf.reduce_sum(x * x, 0),
    "products": lambda x: tf.reduce_prod(tf.cos(x), 1),
    "greatest": lambda x: tf.reduce_max(x, 0),
    "variances": lambda x: tf.math.reduce_variance(x, 1),
    "running sums": lambda x: tf.cumsum(x, 1),
    "softmax": tf.nn.softmax,
    "softmax of columns": lambda x: tf.nn.softmax(x, 0),
    "log_softmax": tf.nn.log_softmax,
    "cross entropy": lambda x: tf.nn.sparse_softmax_cross_entropy_with_logits(tf.range(37) * 5 % 131, x),
    "norms": lambda x: tf.nn.l2_normalize(x, 1),
    "power": lambda x: tf.pow(tf.abs(x), x),
    "gelu": lambda x: tf.nn.gelu(x, approximate=False),
    "convolution": lambda x: tf.nn.conv1d(x[None], tf.reshape(x[:4], [4, 131, 1]), 1, "SAME"),
    "attention": lambda x: attention(
        *[tf.reshape(x[:, i : i + 120], [1, 37, 8, 15]) for i in (0, 5, 9)], scale=0.1, causal=True
    ),
    "normalization": lambda x: layer_normalization(x, x[0], x[1]),
    "pooling": lambda x: tf.nn.max_pool1d(x[None], 3, 2, "SAME"),
}
OPTIMIZERS = ("SGD", "Adam", "AdamW", "RMSprop", "Adagrad", "Adadelta", "Adamax", "Nadam", "Ftrl", "Lion", "Adafactor")


def _hash(*arrays):
    return hashlib.sha256(b"".join(np.ascontiguousarray(array).tobytes() for array in arrays)).hexdigest()


FEW = ("matmul", "sums of rows", "softmax", "exp", "tanh", "erf")
"""What the short form tries, in float32."""


def digests(full=True):
    """For each hot kernel, or for a few, a hash of what it gives."""
    found = {}
    r = np.random.default_rng(0)
    x = np.concatenate([r.normal(size=3000) * 3, r.uniform(-100, 100, 1001)])
    for dtype in map(np.dtype, FLOATS if full else FLOATS[:1]):
        for name, kernels in KERNELS.items():
            if not full and name not in FEW:
                continue
            out = np.zeros(x.size, dtype)
            kernels[dtype](x.astype(dtype), out, x.size)
            found[name, dtype.name] = _hash(out[~np.isnan(out)])
        values = tf.constant(r.normal(size=(37, 131)).astype(dtype))
        for name, function in ARRAYS.items():
            if not full and name not in FEW:
                continue

            @tf.function
            def both(x, function=function):
                with tf.GradientTape() as tape:
                    tape.watch(x)
                    y = function(x)
                return y, tape.gradient(y, x)

            found[name, dtype.name] = _hash(*(one.numpy() for one in (*both(values), function(values))))
    for name in OPTIMIZERS if full else ():
        model = tf.keras.Sequential(
            [
                tf.keras.layers.Dense(19, activation="tanh"),
                tf.keras.layers.LayerNormalization(),
                tf.keras.layers.Dense(5),
            ]
        )
        model(values32 := tf.cast(values, tf.float32))
        for number, weight in enumerate(model.weights):
            weight.assign(np.random.default_rng(number).normal(size=weight.shape).astype(np.float32))
        optimizer = getattr(tf.keras.optimizers, name)(0.01)

        @tf.function
        def step(x, model=model, optimizer=optimizer):
            with tf.GradientTape() as tape:
                loss = tf.reduce_mean(tf.square(model(x)))
            optimizer.apply_gradients(zip(tape.gradient(loss, model.weights), model.weights, strict=True))

        for _ in range(3):
            step(values32)
        found[name, "weights"] = _hash(*(weight.numpy() for weight in model.weights))
    return {" ".join(key): value for key, value in found.items()}


def digests_elsewhere(full, *, command=(), **environment):
    """The hashes of a process of its own, which may be emulated."""
    code = (
        "import json; from tests.reliability.machines.test_vector_widths import digests; "
        f"print(json.dumps(digests({full})))"
    )
    run = subprocess.run(
        [*command, sys.executable, "-c", code],
        env={**os.environ, **environment, "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=3000,
    )
    assert run.returncode == 0, run.stderr[-3000:]
    return json.loads(run.stdout)


@pytest.mark.parametrize("lanes", [4, 8, 16])
def test_bits_do_not_depend_on_the_width_of_vectors(lanes, full, figure):
    expected = digests(full)
    found = digests_elsewhere(full, FASTGRAD_LANES=str(lanes))
    assert [name for name in expected if found[name] != expected[name]] == []
    figure("kernels compared with other widths of vectors", len(expected))


@pytest.mark.skipif(
    shutil.which("qemu-x86_64") is None or platform.machine() != "x86_64", reason="needs qemu-x86_64 (qemu-user)"
)
def test_bits_are_those_of_a_processor_with_avx2_and_without_avx512(full, figure, tmp_path):
    """Which qemu emulates: an instruction of AVX-512 would end the process."""
    if not full:
        pytest.skip("the emulated process compiles for minutes: the long form runs it")
    expected = digests(False)
    found = digests_elsewhere(
        False,
        command=("qemu-x86_64", "-cpu", "Haswell-noTSX"),
        FASTGRAD_CACHE_DIR=str(tmp_path),
        FASTGRAD_NUM_THREADS="1",
    )
    assert [name for name in expected if found[name] != expected[name]] == []
    figure("kernels compared with those of an emulated processor with AVX2 only", len(expected))


def test_bits_are_those_of_the_tiles_for_neon(tmp_path, full):
    """Which have 16 bytes a vector, 32 registers and no masks: LLVM makes them of what the machine has."""
    if not full:
        pytest.skip("it compiles every product and convolution of their tests: the long form runs it")
    code = (
        "from fastgrad.kernels.codegen import isa\n"
        "isa._TILE_HEIGHTS_WITH_16_REGISTERS = isa._TILE_HEIGHTS_WITH_32_REGISTERS\n"
        "machine = isa.host_isa()\n"
        "assert (machine.vector_bytes, len(machine.heights), machine.masks) == (16, 4, False), machine\n"
        "from tests.kernels.gemm.test_gemm import digest\n"
        "from tests.kernels.convolution.test_convolution import hash_of_results\n"
        "print(digest(), hash_of_results())"
    )
    more = {"FASTGRAD_LANES": "4", "FASTGRAD_CACHE_DIR": str(tmp_path)}
    run = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, **more, "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert run.stdout.split() == [test_gemm.digest(), test_convolution.hash_of_results()], run.stderr


def test_loops_have_vectors_as_wide_as_the_machine_has():
    """LLVM alone would take half of them on this processor."""
    code = (
        "from fastgrad.kernels.codegen import isa, native\n"
        "native.compile_for(native.Machine('x86_64-unknown-linux-gnu', 'cascadelake', '+avx512f,+avx512vl'))\n"
        "print(isa.features_for_loops())"
    )
    for lanes, wanted in (("", "-prefer-256-bit"), ("8", "+prefer-256-bit")):
        run = subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "FASTGRAD_LANES": lanes, "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])},
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
            timeout=100,
        )
        assert wanted in run.stdout.strip().split(",")
