"""The cost of a program, counted once for all callers."""

import numpy as np

import fastgrad as tf
from fastgrad._src.compiler.programs.cost import (
    MOST_NANOSECONDS_ON_ONE_THREAD,
    MOST_NANOSECONDS_WITH_GIL,
    native_work_of,
)
from fastgrad._src.compiler.programs.program import Program
from fastgrad._src.compiler.programs.replay_writer import driver_functions_of
from fastgrad._src.kernels.runtime import driver
from fastgrad._src.kernels.runtime.thread_pool import begin_on_free_pool, continue_on_free_pool
from tests.compiler.recorded import record


def plan_of(rows):
    graph, _ = record(lambda x: tf.matmul(tf.tanh(tf.matmul(x, x)), x), np.eye(rows, dtype=np.float32))
    return Program(graph).plan


def test_steps_and_their_time():
    small, large = native_work_of(plan_of(8)), native_work_of(plan_of(512))
    assert small.steps == large.steps == 2
    assert 0 < small.nanoseconds < MOST_NANOSECONDS_WITH_GIL
    assert small.shared == 0
    assert MOST_NANOSECONDS_ON_ONE_THREAD < large.shared <= large.nanoseconds


def test_the_driver_is_chosen_by_the_work():
    assert driver_functions_of(plan_of(8)) == (driver.begin_program[()], driver.continue_program[()])
    assert driver_functions_of(plan_of(512)) == (begin_on_free_pool, continue_on_free_pool)
