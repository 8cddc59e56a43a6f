"""The compiler: call → recording → graph → fusion → plan → replay, with a package for each stage."""

from __future__ import annotations

from typing import Any

from fastgrad._src.core import recording


def _control_flow_of(recorder: Any) -> Any:
    """Returns the recorder of branches and loops of a recording; imported at its first use."""
    from fastgrad._src.compiler.control_flow.control_flow import ControlFlow

    return ControlFlow(recorder)


recording.control_flow_factory = _control_flow_of
