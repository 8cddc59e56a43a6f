"""``keras.optimizers``: classes that update weights from gradients."""

from __future__ import annotations

from typing import Any

from fastgrad._src.core.names import namespace_hooks as _namespace_hooks
from fastgrad._src.core.names import suggestions as _near
from fastgrad._src.keras.optimizers.adadelta import Adadelta as Adadelta
from fastgrad._src.keras.optimizers.adafactor import Adafactor as Adafactor
from fastgrad._src.keras.optimizers.adagrad import Adagrad as Adagrad
from fastgrad._src.keras.optimizers.adam import Adam as Adam
from fastgrad._src.keras.optimizers.adam import AdamW as AdamW
from fastgrad._src.keras.optimizers.adamax import Adamax as Adamax
from fastgrad._src.keras.optimizers.ftrl import Ftrl as Ftrl
from fastgrad._src.keras.optimizers.lamb import Lamb as Lamb
from fastgrad._src.keras.optimizers.lion import Lion as Lion
from fastgrad._src.keras.optimizers.loss_scale_optimizer import LossScaleOptimizer as LossScaleOptimizer
from fastgrad._src.keras.optimizers.muon import Muon as Muon
from fastgrad._src.keras.optimizers.nadam import Nadam as Nadam
from fastgrad._src.keras.optimizers.optimizer import Optimizer as Optimizer
from fastgrad._src.keras.optimizers.rmsprop import RMSprop as RMSprop
from fastgrad._src.keras.optimizers.rule_optimizer import RuleOptimizer as RuleOptimizer
from fastgrad._src.keras.optimizers.sgd import SGD as SGD
from fastgrad._src.keras.optimizers.update_rules import from_rule as from_rule
from fastgrad._src.keras.optimizers.update_rules import update_rule as update_rule
from fastgrad._src.keras.saving.objects import deserialize_keras_object, serialize_keras_object

_CLASS_BY_NAME: dict[str, Any] = {
    kind.__name__.lower(): kind
    for kind in (
        *(Adadelta, Adafactor, Adagrad, Adam, AdamW, Adamax, Ftrl),
        *(Lamb, Lion, LossScaleOptimizer, Muon, Nadam, RMSprop, SGD),
    )
}


def serialize(optimizer: Optimizer) -> Any:
    """Returns the optimizer's configuration, without its state: the class and the arguments as plain values."""
    return serialize_keras_object(optimizer)


def deserialize(config: Any, custom_objects: dict[str, Any] | None = None) -> Any:
    """Returns the optimizer of a configuration from ``serialize``.

    Args:
        config: the configuration; fastgrad's own optimizers may be named in any case.
        custom_objects: further classes by name.

    Raises:
        TypeError: ``config`` is not a configuration, or its class is not known.
        ValueError: the configuration is incomplete.
    """
    if not isinstance(config, dict) or not isinstance(config.get("class_name"), str):
        raise TypeError(f"optimizers.deserialize: config must be a dict with a 'class_name', got {config!r}.")
    name = config["class_name"]
    if name.lower() in _CLASS_BY_NAME:
        config = {**config, "class_name": name.lower(), "module": None}
    return deserialize_keras_object(config, module_objects=_CLASS_BY_NAME, custom_objects=custom_objects)


def from_config(config: dict[str, Any], custom_objects: dict[str, Any] | None = None) -> Any:
    """Returns the optimizer of a configuration; see ``deserialize``."""
    return deserialize(config, custom_objects)


def get(identifier: Any) -> Any:
    """Returns the optimizer of a name (``"adam"``) or configuration; returns an optimizer or None unchanged.

    Raises:
        ValueError: ``identifier`` is none of these.
    """
    result = identifier
    if identifier is None:
        return None
    if isinstance(identifier, (str, dict)):
        try:
            config = identifier if isinstance(identifier, dict) else {"class_name": identifier, "config": {}}
            result = deserialize(config)
        except TypeError:
            result = None
    if isinstance(result, Optimizer):
        return result
    names = [name for name, member in globals().items() if isinstance(member, type) and issubclass(member, Optimizer)]
    hint = _near(identifier.lower(), map(str.lower, names)) if isinstance(identifier, str) else ""
    raise ValueError(f"Could not interpret optimizer identifier: {identifier}.{hint}")


__getattr__, __dir__ = _namespace_hooks("tf.keras.optimizers", globals(), submodules=("schedules",))
