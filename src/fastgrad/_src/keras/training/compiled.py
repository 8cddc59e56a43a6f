"""``Compiled``: a model's optimizer, loss and metrics, set by ``compile``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastgrad._src.core.argument_checks import checked_integer, named_argument, require
from fastgrad._src.core.replicas import ReplicaGroup, replica_group_scope
from fastgrad._src.jit.user_lines import warn
from fastgrad._src.keras.metrics.metric import Metric
from fastgrad._src.keras.metrics.reduction import Mean
from fastgrad._src.keras.optimizers import namespace as optimizers
from fastgrad._src.keras.saving.objects import deserialize_keras_object, serialize_keras_object
from fastgrad._src.keras.training.compile_loss import CompileLoss
from fastgrad._src.keras.training.compile_metrics import CompileMetrics

Logs = dict[str, Any]


class Compiled:
    """The part of ``Model`` that holds the settings of its training.

    Attributes:
        compiled: whether ``compile`` has been called.
    """

    _submetrics: list[Any]
    _flatten_layers: Callable[[], list[Any]]
    trainable_variables: list[Any]
    _replicas: ReplicaGroup
    compiled = False
    run_eagerly = False
    steps_per_execution = 1

    def compile(
        self,
        optimizer: Any = "rmsprop",
        loss: Any = None,
        loss_weights: Any = None,
        metrics: Any = None,
        weighted_metrics: Any = None,
        run_eagerly: bool = False,
        steps_per_execution: int = 1,
        jit_compile: Any = "auto",
        auto_scale_loss: bool = True,
    ) -> None:
        """Configures the training of the model.

        Args:
            optimizer: an optimizer or its name.
            loss: a loss, function of labels and predictions, or name; for several outputs a list or dict of them.
            loss_weights: factors in the same structure.
            metrics: a list of metrics, functions and names; for several outputs a list or dict of lists.
                ``"accuracy"`` and ``"crossentropy"`` are selected by the shapes.
            weighted_metrics: metrics in the same form, which get the sample weights.
            run_eagerly: whether steps run as Python.
            steps_per_execution: the number of batches between two calls of the batch callbacks.
            jit_compile: kept for Keras's signature: steps are always compiled.
            auto_scale_loss: whether the optimizer is wrapped in a ``LossScaleOptimizer`` under ``mixed_float16``.

        Raises:
            ValueError: an argument is not valid.
        """
        if checked_integer("compile", "steps_per_execution", steps_per_execution) < 1:
            raise ValueError(f"compile: steps_per_execution must be at least 1, got {steps_per_execution}.")
        optimizer_text = "an optimizer of keras.optimizers or its name; `loss` stands second"
        with replica_group_scope(self._replicas), named_argument("compile", "optimizer", optimizer_text):
            resolved_optimizer = optimizers.get(optimizer)
        with replica_group_scope(self._replicas):
            loss_tracker = Mean(name="loss")
        policy = getattr(self, "dtype_policy", None)
        is_scaling = isinstance(resolved_optimizer, optimizers.LossScaleOptimizer)
        if auto_scale_loss and policy is not None and policy.name == "mixed_float16" and not is_scaling:
            resolved_optimizer = optimizers.LossScaleOptimizer(resolved_optimizer, name="loss_scale_optimizer")
        _join_replicas(resolved_optimizer, self._replicas)
        names = getattr(self, "output_names", None)
        # Set without __setattr__: none of these are layers or weights of the model.
        self.__dict__.update(
            optimizer=resolved_optimizer,
            loss=loss,
            run_eagerly=run_eagerly,
            steps_per_execution=steps_per_execution,
            compiled=True,
            stop_training=False,
            _loss_tracker=loss_tracker,
            _compile_loss=None if loss is None else CompileLoss(loss, loss_weights, names),
            _compile_metrics=(
                CompileMetrics(metrics, weighted_metrics, names, loss) if metrics or weighted_metrics else None
            ),
            _step_functions={},
            _compile_config={
                "optimizer": resolved_optimizer,
                "loss": loss,
                "loss_weights": loss_weights,
                "metrics": metrics,
                "weighted_metrics": weighted_metrics,
                "run_eagerly": run_eagerly,
                "steps_per_execution": steps_per_execution,
                "jit_compile": jit_compile,
            },
        )

    def get_compile_config(self) -> dict[str, Any]:
        """Returns ``compile`` arguments as plain values for ``compile_from_config``; empty before ``compile``."""
        if not self.compiled:
            return {}
        try:
            return {name: serialize_keras_object(value) for name, value in self.__dict__["_compile_config"].items()}
        except (TypeError, ValueError, NotImplementedError) as error:
            warn(f"The arguments of `compile` are not saved with the model: {error}")
            return {}

    def compile_from_config(self, config: dict[str, Any]) -> None:
        """Compiles the model from a ``get_compile_config`` result; builds the optimizer if the model is built."""
        if type(self).compile is not Compiled.compile:
            warn(
                "`compile()` was not called as part of model loading because the model's `compile()` method is custom. "
                f"Write `get_compile_config()` and `compile_from_config(config)` in {type(self).__name__}, too, or call `compile()` "
                "yourself.",
            )
            return
        self.compile(**deserialize_keras_object(config))
        if getattr(self, "built", False):
            self.__dict__["optimizer"].build(self.trainable_variables)

    def _check_compiled(self, method: str) -> None:
        require(self.compiled, method, "You must call `compile()` before this")

    @property
    def metrics(self) -> list[Any]:
        """The mean loss, the metrics of ``compile`` as one metric, the model's own metrics, and those of its layers.

        Metrics of inner models are excluded: they belong to the training of the inner model.
        """
        state = self.__dict__
        metric_list: list[Any] = []
        if self.compiled:
            metric_list.append(state["_loss_tracker"])
            if state["_compile_metrics"] is not None:
                metric_list.append(state["_compile_metrics"])
            if state["_compile_loss"] is not None:
                metric_list += state["_compile_loss"].metrics
        metric_list += self._submetrics
        inner_layers = [layer for layer in self._flatten_layers()[1:] if not isinstance(layer, Compiled)]
        return metric_list + [metric for layer in inner_layers for metric in layer._submetrics]

    def single_metrics(self) -> list[Metric]:
        """Returns ``metrics`` with the combined metric of ``compile`` replaced by its parts."""
        return [
            single_metric
            for metric in self.metrics
            for single_metric in (metric.metrics if type(metric) is CompileMetrics else [metric])
        ]

    @property
    def metrics_names(self) -> list[str]:
        """The names of all metrics; each metric of ``compile`` counts separately."""
        return [metric.name for metric in self.single_metrics()]

    def reset_metrics(self) -> None:
        """Resets all metrics."""
        for metric in self.metrics:
            metric.reset_state()

    def get_metrics_result(self) -> Logs:
        """Returns the values of all metrics by name."""
        results: Logs = {}
        for metric in self.metrics:
            result = metric.result()
            if isinstance(result, dict):
                results.update(result)
            else:
                results[metric.name] = result
        return results


def _join_replicas(optimizer: Any, group: ReplicaGroup) -> None:
    """Lets an optimizer that was made outside of a scope sum gradients over the replicas of the model."""
    while optimizer is not None and group.size > 1:
        if hasattr(optimizer, "_replicas"):
            optimizer._replicas = group
        optimizer = getattr(optimizer, "inner_optimizer", None)
