"""``ReplicaWeight``: a weight of which each replica of a strategy has its own part, such as a variable of a metric."""

from __future__ import annotations

from fastgrad._src.core.tensor import Tensor
from fastgrad._src.distribute.variables import ReplicaVariable
from fastgrad._src.keras.weight import Weight


class ReplicaWeight(Weight, ReplicaVariable):  # type: ignore[misc]  # `value` is a property in Keras
    """A weight with ``synchronization="on_read"``: reads outside of a step of the replicas combine their values.

    As in Keras, updates outside of a step change the common value.
    """

    @property
    def _label(self) -> str:
        return self.path

    def _check_common_value(self) -> None:
        """Does nothing: without aggregation, the values are compared."""

    def _share_of_delta(self, operation_name: str, tensor: Tensor) -> Tensor:
        return self._share_of_value(tensor)
