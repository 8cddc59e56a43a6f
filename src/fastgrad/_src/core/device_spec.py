"""``tf.DeviceSpec``: the parts of a device's name."""

from __future__ import annotations

from typing import Any, NamedTuple


class _Parts(NamedTuple):
    job: str | None
    replica: int | None
    task: int | None
    device_type: str | None
    device_index: int | None


class DeviceSpec:
    """The parts of a device's name such as ``"/job:worker/replica:0/task:1/device:GPU:0"``; each may be None.

    Attributes and arguments:
        job: a string.
        replica, task, device_index: integers.
        device_type: ``"CPU"`` or ``"GPU"``, in capitals; other types are taken as they are.

    Raises:
        ValueError: a number is no integer.
    """

    __slots__ = ("_parts",)

    def __init__(
        self, job: Any = None, replica: Any = None, task: Any = None, device_type: Any = None, device_index: Any = None
    ) -> None:
        kind = None if device_type is None else str(device_type)
        kind = kind.upper() if kind is not None and kind.lower() in ("cpu", "gpu") else kind
        name = None if job is None else str(job)
        self._parts = _Parts(
            name, _integer("replica", replica), _integer("task", task), kind, _integer("device_index", device_index)
        )

    job = property(lambda self: self._parts.job)
    replica = property(lambda self: self._parts.replica)
    task = property(lambda self: self._parts.task)
    device_type = property(lambda self: self._parts.device_type)
    device_index = property(lambda self: self._parts.device_index)

    @classmethod
    def from_string(cls, spec: str) -> DeviceSpec:
        """Reads a name, or part of one; ``"*"`` as an index stands for any device.

        Raises:
            ValueError: a part is unknown or has no value, or there are two types of devices.
        """
        parts: dict[str, Any] = {}
        for text in filter(None, spec.split("/")):
            key, *values = text.split(":")
            if key.lower() in ("cpu", "gpu") and len(values) == 1:
                key, values = "device", [key, *values]
            if key in ("job", "replica", "task") and len(values) == 1:
                parts[key] = values[0]
            elif key == "device" and len(values) == 2:
                if "device_type" in parts:
                    raise ValueError(f"DeviceSpec: Multiple device types are not allowed in {spec!r}.")
                parts["device_type"] = values[0]
                parts["device_index"] = None if values[1] == "*" else values[1]
            else:
                raise ValueError(
                    f"DeviceSpec: Unknown attribute {key!r} in {spec!r}; a name is /job:a/replica:0/task:0/device:GPU:0."
                )
        return cls(**parts)

    def parse_from_string(self, spec: str) -> DeviceSpec:
        """Returns ``DeviceSpec.from_string(spec)``."""
        return self.from_string(spec)

    def make_merged_spec(self, dev: DeviceSpec) -> DeviceSpec:
        """Returns a spec with the parts of ``dev``, and those of this one where ``dev`` has None."""
        return DeviceSpec(
            *(own if other is None else other for own, other in zip(self._parts, dev._parts, strict=True))
        )

    def replace(self, **kwargs: Any) -> DeviceSpec:
        """Returns a spec with other values for the parts in ``kwargs``."""
        return DeviceSpec(**{**self._parts._asdict(), **kwargs})

    def to_string(self) -> str:
        """The name, ``"/job:worker/device:GPU:0"``, of the parts that are not None."""
        named = [
            f"/{key}:{value}"
            for key, value in zip(self._parts._fields[:3], self._parts, strict=False)
            if value is not None
        ]
        if self.device_type is not None:
            named.append(f"/device:{self.device_type}:{'*' if self.device_index is None else self.device_index}")
        return "".join(named)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, DeviceSpec) and self._parts == other._parts

    def __hash__(self) -> int:
        return hash(self._parts)

    def __repr__(self) -> str:
        return f"<DeviceSpec({', '.join(f'{key}={value}' for key, value in self._parts._asdict().items())})>"


def _integer(what: str, value: Any) -> int | None:
    try:
        return None if value is None else int(value)
    except (TypeError, ValueError):
        raise ValueError(f"DeviceSpec: {what} must be an integer, got {value!r}.") from None
