"""Every row of the operation table with a gradient, and every public function and layer, is in some case."""

from __future__ import annotations

import inspect
import warnings
from contextlib import ExitStack
from functools import cache
from typing import Any
from unittest import mock

import pytest

import fastgrad as tf
from fastgrad import keras, linalg, math, nn
from fastgrad._src.core.operation import TABLE, JointGradient, Operation
from fastgrad._src.core.recording import Recorder, start, stop
from tests import whole_table

from .case import all_cases
from .derivatives import MODES, prepared, questions

pytestmark = pytest.mark.completeness

SPACES = {
    "tf": tf,
    "tf.math": math,
    "tf.math.special": math.special,
    "tf.nn": nn,
    "tf.linalg": linalg,
    "tf.keras.activations": keras.activations,
    "tf.keras.losses": keras.losses,
    "tf.keras.layers": keras.layers,
}


# Types, settings, texts; tests and what gives integers or truth values; what makes tensors of nothing; users' functions (tests/custom_operations);
# what TensorFlow does not differentiate on a CPU (tests/signal, tests/ops); layers that draw (tests/keras);
# a layer of functions of files (tests/files/saved_model).
WITHOUT_GRADIENT = """
DType VariableAggregation VariableSynchronization TensorShape Tensor TensorSpec Form Unary KerasTensor InputSpec
Loss Reduction Layer Wrapper Operator Input InputLayer
control_dependencies enable_eager_execution executing_eagerly get_logger get_static_value group init_scope inside_function
no_op device print get_current_name_scope name_scope variable_creator_scope register_tensor_conversion_function is_tensor floatx function
serialize deserialize get resolve_identifier is_function serialize_keras_object deserialize_keras_object
Assert assert_equal assert_greater assert_less assert_rank equal greater greater_equal less less_equal not_equal
logical_and logical_not logical_or logical_xor is_finite is_inf is_nan
reduce_all reduce_any confusion_matrix invert_permutation truncatediv unravel_index sequence_mask rank shape_n size
collapse_repeated ctc_beam_search_decoder ctc_greedy_decoder edit_distance gradients broadcast_dynamic_shape broadcast_static_shape unique_with_counts
histogram_fixed_width histogram_fixed_width_bins fingerprint make_ndarray make_tensor_proto
eye ones dropout masked Module RaggedTensorSpec
constant_initializer ones_initializer zeros_initializer random_normal_initializer random_uniform_initializer
elementwise kernel adjoint cfunc check_gradients fixed_point grad hessian hvp implicit_root jacobian jvp log_density value_and_grad vjp
SparseTensor SparseTensorSpec as_string timestamp type_spec_from_value
fftnd RandomContrast RandomCrop RandomFlip RandomRotation
RandomTranslation RandomZoom
StringLookup IntegerLookup TextVectorization Discretization Hashing HashedCrossing TFSMLayer TypeSpec
CriticalSection DeviceSpec required_space_to_batch_paddings
"""


class Rows(Recorder):
    """What of the operation table runs while it records.

    Attributes:
        names: of the rows that run.
        floats: for each row the positions of inputs that are floats or complex numbers.
        slots: the gradient rules that run, by row and position of the input.
    """

    def __init__(self) -> None:
        self.names: set[str] = set()
        self.floats: dict[str, set[int]] = {}
        self.slots: set[tuple[str, int]] = set()

    def on_operation(self, operation: Any, inputs: Any, outputs: Any, attributes: Any) -> None:
        self.names.add(operation.name)
        floats = [position for position, x in enumerate(inputs) if x.dtype.is_floating or x.dtype.is_complex]
        self.floats.setdefault(operation.name, set()).update(floats)

    def noting(self, row: Operation) -> Any:
        """The row's gradient, which notes each of its rules that runs."""
        rule = row.gradient
        if isinstance(rule, JointGradient):

            def joint(needs: tuple[bool, ...], *args: Any, **attributes: Any) -> Any:
                self.slots |= {(row.name, position) for position, needed in enumerate(needs) if needed}
                return rule.function(needs, *args, **attributes)

            return JointGradient(joint, rule.zeros)
        if isinstance(rule, tuple):
            return tuple([each and self._noted(row.name, position, each) for position, each in enumerate(rule)])
        return self._noted(row.name, 0, rule)

    def _noted(self, name: str, position: int, rule: Any) -> Any:
        def noted(*args: Any, **attributes: Any) -> Any:
            self.slots.add((name, position))
            return rule(*args, **attributes)

        return noted


class Watched:
    """A module that notes which of its functions and classes are asked for."""

    def __init__(self, module: Any, noted: set[int]) -> None:
        self._module = module
        self._noted = noted

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._module, name)
        if inspect.ismodule(value):
            return Watched(value, self._noted)
        self._noted.add(id(value))
        return value


@cache
def reached() -> tuple[Rows, frozenset[int]]:
    """What of the operation table the cases run, and the ids of the public objects that they use."""
    whole_table.load()
    rows, noted = Rows(), set[int]()
    watched = Watched(tf, noted)
    with warnings.catch_warnings(), ExitStack() as stack:
        warnings.simplefilter("ignore")
        for row in TABLE.values():
            if row.gradient is not None:
                stack.enter_context(mock.patch.object(row, "gradient", rows.noting(row)))
        start(rows)
        try:
            for case in (case for cases in all_cases().values() for case in cases.values()):
                for mode, dtype in questions(case)[:2]:
                    try:
                        MODES[mode](watched, *prepared(watched, case, dtype))
                    except (tf.errors.InvalidArgumentError, ValueError, TypeError):  # as of integers
                        continue
        finally:
            stop(rows)
    return rows, frozenset(noted)


def test_every_row_with_a_gradient_is_in_a_case(figure: Any) -> None:
    rows = {name for name, row in TABLE.items() if row.gradient is not None and row.lowering.collective is None}
    figure("rows of the operation table with a gradient", len(rows))
    assert sorted(rows - reached()[0].names) == []


def test_every_gradient_rule_of_a_row_runs_in_a_case(figure: Any) -> None:
    rows, rules = reached()[0], set()
    for name, row in TABLE.items():
        if row.lowering.collective is not None:
            continue  # tests/distribute has its cases
        if isinstance(row.gradient, tuple):
            rules |= {(name, position) for position, rule in enumerate(row.gradient) if rule is not None}
        elif isinstance(row.gradient, JointGradient):  # one function for all inputs, of any number
            rules |= {(name, position) for position in rows.floats.get(name, {0})}
        elif row.gradient is not None:
            rules.add((name, 0))
    figure("gradient rules, by row and argument", len(rules))
    assert sorted(rules - rows.slots) == []


def test_every_public_function_is_in_a_case(figure: Any) -> None:
    missing, count = [], 0
    for space, module in SPACES.items():
        for name in dir(module):  # some are imported when they are asked for
            value = getattr(module, name)
            if name.startswith("_") or not callable(value) or name in WITHOUT_GRADIENT.split():
                continue
            if not getattr(value, "__module__", "").startswith("fastgrad"):
                continue
            if module is math.special and name not in TABLE:
                continue
            count += 1
            if id(value) not in reached()[1]:
                missing.append(f"{space}.{name}")
    figure("public functions and layers", count)
    assert not missing, " ".join(missing)
