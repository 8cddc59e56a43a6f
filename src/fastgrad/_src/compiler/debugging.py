"""Checks of values, shapes and dtypes (``tf.debugging``)."""

from __future__ import annotations

import sys as _sys
from typing import Any as _Any

import numpy as np

from fastgrad._src.compiler.dispatch.eager_execution import functions_run_eagerly as _functions_run_eagerly
from fastgrad._src.compiler.dispatch.eager_execution import run_functions_eagerly as _run_functions_eagerly
from fastgrad._src.core.argument_checks import checked_flag as _checked_flag
from fastgrad._src.core.errors import InvalidArgumentError as _InvalidArgumentError
from fastgrad._src.core.operation import FLOAT_DTYPES as _FLOATING
from fastgrad._src.core.placement import device_of as _device_of
from fastgrad._src.core.placement import name_of as _device_name
from fastgrad._src.core.recording import Recorder as _Recorder
from fastgrad._src.core.recording import start as _start
from fastgrad._src.core.recording import stop as _stop
from fastgrad._src.jit.tracebacks import disable_traceback_filtering as disable_traceback_filtering
from fastgrad._src.jit.tracebacks import enable_traceback_filtering as enable_traceback_filtering
from fastgrad._src.jit.user_lines import line_text as _line_text
from fastgrad._src.jit.user_lines import user_line as _user_line
from fastgrad._src.kernels.collectives.world import world as _world
from fastgrad._src.ops.assertion import Assert as Assert
from fastgrad._src.ops.assertion import assert_all_finite as assert_all_finite
from fastgrad._src.ops.assertion import assert_equal as assert_equal
from fastgrad._src.ops.assertion import assert_greater as assert_greater
from fastgrad._src.ops.assertion import assert_greater_equal as assert_greater_equal
from fastgrad._src.ops.assertion import assert_integer as assert_integer
from fastgrad._src.ops.assertion import assert_less as assert_less
from fastgrad._src.ops.assertion import assert_less_equal as assert_less_equal
from fastgrad._src.ops.assertion import assert_near as assert_near
from fastgrad._src.ops.assertion import assert_non_negative as assert_non_negative
from fastgrad._src.ops.assertion import assert_none_equal as assert_none_equal
from fastgrad._src.ops.assertion import assert_positive as assert_positive
from fastgrad._src.ops.assertion import assert_rank as assert_rank
from fastgrad._src.ops.assertion import assert_rank_at_least as assert_rank_at_least
from fastgrad._src.ops.assertion import assert_rank_in as assert_rank_in
from fastgrad._src.ops.assertion import assert_shapes as assert_shapes
from fastgrad._src.ops.assertion import assert_type as assert_type
from fastgrad._src.ops.assertion import check_numerics as check_numerics


class _NumericsCheck(_Recorder):
    """A recorder that checks the floating-point results of each operation, including gradients and variable updates."""

    records_state = True  # turns additions to variables into operations

    def __init__(self) -> None:
        self.functions_ran_eagerly = False

    def on_operation(
        self, operation: _Any, inputs: tuple[_Any, ...], outputs: tuple[_Any, ...], attributes: dict[str, _Any]
    ) -> None:
        for number, y in enumerate(outputs):
            array = y._on_host()
            if array.dtype in _FLOATING and not np.isfinite(array).all():
                kinds = " and ".join(kind for kind, test in (("Inf", np.isinf), ("NaN", np.isnan)) if test(array).any())
                shapes = ", ".join(f"{x.dtype.name}{list(x.shape)}" for x in inputs)
                raise _InvalidArgumentError(
                    f"{_rank_text()}{operation.name}: Detected {kinds} in output {number}, {y.dtype.name}{list(y.shape)}, first at index "
                    f"{np.argwhere(~np.isfinite(array))[0].tolist()}; its inputs are {shapes} (called at {_line_text(_user_line())}). "
                    f"tf.debugging.disable_check_numerics() ends these checks."
                )


def _rank_text() -> str:
    """Returns the rank of this process for the start of an error; nothing in a world of one process."""
    if not _world.cache_info().currsize or _world().size == 1:
        return ""
    return f"rank {_world().rank}: "


_checks: list[_NumericsCheck] = []


def enable_check_numerics(stack_height_limit: int = 30, path_length_limit: int = 50) -> None:
    """Makes each operation of this thread raise an error if its result has an infinity or NaN.

    The error names the rank of the process if `tf.distribute` runs in more than one.

    Functions under ``tf.function`` run as plain Python until ``disable_check_numerics``, so that each operation is checked. A
    second call changes nothing.

    Args:
        stack_height_limit, path_length_limit: kept for TensorFlow's signature: the error names one line, the caller's.

    Raises:
        InvalidArgumentError: raised by later operations, not by this call. TensorFlow:
            tf.debugging.enable_check_numerics.
    """
    if not _checks:
        check = _NumericsCheck()
        check.functions_ran_eagerly = _functions_run_eagerly()
        _run_functions_eagerly(True)
        _checks.append(check)
        _start(check)


def disable_check_numerics() -> None:
    """Ends the checks of ``enable_check_numerics``, if enabled. TensorFlow: tf.debugging.disable_check_numerics."""
    if _checks:
        check = _checks.pop()
        _stop(check)
        _run_functions_eagerly(check.functions_ran_eagerly)


class _PlacementLog(_Recorder):
    """A recorder that writes the device of each operation's results to stderr."""

    records_state = True

    def on_operation(
        self, operation: _Any, inputs: tuple[_Any, ...], outputs: tuple[_Any, ...], attributes: dict[str, _Any]
    ) -> None:
        device = _device_name(_device_of(outputs[0]._array) if outputs else None)
        print(f"Executing op {operation.name} in device {device}", file=_sys.stderr)


_placement_logs: list[_PlacementLog] = []


def set_log_device_placement(enabled: bool) -> None:
    """Sets whether each operation of this thread writes a line to stderr that names it and its device.

    While it is enabled, compiled functions run operation by operation, so that each operation has its line.

    Args:
        enabled: whether lines are written.

    Raises:
        TypeError: ``enabled`` is not a bool.
    """
    enabled = _checked_flag("tf.debugging.set_log_device_placement", "enabled", enabled)
    if enabled and not _placement_logs:
        _placement_logs.append(_PlacementLog())
        _start(_placement_logs[0])
    elif not enabled and _placement_logs:
        _stop(_placement_logs.pop())
