"""The cost of a program, counted once for all callers."""

import numpy as np

import fastgrad as tf
from fastgrad._src.compiler.programs.cost import (
    MOST_NANOSECONDS_ON_ONE_THREAD,
    MOST_NANOSECONDS_WITH_GIL,
    native_work_of,
)
from fastgrad._src.compiler.programs.frame import LEAST_GROUPS_TO_SHARE, share_count_and_grain
from fastgrad._src.compiler.programs.program import Program
from fastgrad._src.compiler.programs.replay_writer import driver_functions_of
from fastgrad._src.kernels.gemm.steps import product_launches
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


def launch_of_product(m, n, k):
    (launch,) = product_launches((np.zeros((m, k), np.float32), np.zeros((k, n), np.float32))).launches
    return launch


def test_shares_have_whole_panels_of_a_product_that_reads_each_once():
    launch = launch_of_product(128, 2048, 2048)
    groups = launch.units // launch.together
    assert launch.together > 1
    assert launch.units == groups * launch.together
    shares, grain = share_count_and_grain(launch)
    assert grain == launch.together
    assert 1 < shares <= groups


def test_shares_cut_groups_of_units_that_are_few():
    launch = launch_of_product(128, 256, 2048)
    assert launch.units < LEAST_GROUPS_TO_SHARE * launch.together or launch.together == 1
    assert share_count_and_grain(launch)[1] != launch.together or launch.together == 1
