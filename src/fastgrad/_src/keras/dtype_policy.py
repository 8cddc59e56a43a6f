"""``keras.DTypePolicy``: the dtype of a layer's weights and the dtype of its computations."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastgrad._src.core import dtypes, python_state_version
from fastgrad._src.core.dtypes import DType
from fastgrad._src.keras import settings
from fastgrad._src.keras.configured import Configured

_MIXED_COMPUTE_DTYPES = {"mixed_float16": dtypes.float16, "mixed_bfloat16": dtypes.bfloat16}


class _GlobalPolicy:
    """The policy of layers without a ``dtype`` argument; None means the policy of ``floatx()``."""

    policy: DTypePolicy | None = None


class DTypePolicy(Configured):
    """The dtypes of a layer's weights and computations.

    Args:
        name: a floating dtype (``"float32"``) for both, or another dtype for layers of integers or strings;
            ``"mixed_bfloat16"`` or ``"mixed_float16"`` for computations in the 16-bit type on float32 weights;
            default: the name of the global policy.

    Attributes:
        name, compute_dtype, variable_dtype: names; ``compute`` and ``variable`` are the dtypes themselves.

    Raises:
        TypeError: the name is neither a string nor a dtype.
        ValueError: no dtype has this name.
    """

    quantization_mode = None
    """Weights are never quantized."""

    _config_names = ("name",)

    def __init__(self, name: Any = None) -> None:
        if name is None:
            name = _GlobalPolicy.policy.name if _GlobalPolicy.policy else settings.floatx()
        if not isinstance(name, (str, DType, np.dtype, type)):
            raise TypeError(f"'name' must be a string, such as 'float32'. Received: name={name} (of type {type(name)})")
        mixed_dtype = _MIXED_COMPUTE_DTYPES.get(name) if isinstance(name, str) else None
        self.compute: DType = mixed_dtype or settings.standardize_dtype(name)
        self.variable: DType = dtypes.float32 if mixed_dtype else self.compute
        self.compute_dtype, self.variable_dtype = self.compute.name, self.variable.name
        self.name: str = str(name) if mixed_dtype else self.compute_dtype

    def __eq__(self, other: Any) -> bool:
        return isinstance(other, DTypePolicy) and self.name == other.name

    def __hash__(self) -> int:
        return hash(self.name)

    def __repr__(self) -> str:
        return f'<DTypePolicy "{self.name}">'


def get(identifier: Any) -> DTypePolicy:
    """Returns the policy of a policy, name, dtype, configuration or None (the global policy); ValueError otherwise."""
    if identifier is None:
        return global_policy()
    if isinstance(identifier, DTypePolicy):
        return identifier
    if isinstance(identifier, dict):
        return DTypePolicy(identifier["config"]["name"])
    try:
        return DTypePolicy(identifier)
    except TypeError as error:
        raise ValueError(
            "Cannot interpret `dtype` argument. Expected a string or an instance of DTypePolicy, such as 'float32'. "
            f"Received: dtype={identifier}"
        ) from error


def global_policy() -> DTypePolicy:
    """The policy of layers that are made without a dtype; ``floatx()`` unless ``set_global_policy`` was called."""
    return _GlobalPolicy.policy or DTypePolicy(settings.floatx())


def set_global_policy(policy: Any) -> None:
    """Sets the policy of later layers that have no ``dtype`` argument.

    Args:
        policy: a ``DTypePolicy`` or its name.

    Raises:
        ValueError: ``policy`` is neither a policy nor a policy's name; the global policy does not change.
    """
    if not isinstance(policy, (DTypePolicy, str, DType, np.dtype, type)):
        raise ValueError(f"`set_dtype_policy` needs a policy or its name, such as 'float32'. Received: {policy=}")
    new_policy = get(policy)
    _GlobalPolicy.policy = new_policy
    python_state_version.settings["dtype_policy"] = new_policy.name
    python_state_version.count_change()


def clear_global_policy() -> None:
    """Makes ``floatx()`` the policy of later layers that have no ``dtype`` argument."""
    if _GlobalPolicy.policy is not None:
        _GlobalPolicy.policy = None
        del python_state_version.settings["dtype_policy"]
        python_state_version.count_change()
