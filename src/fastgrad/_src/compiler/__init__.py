"""The compiler: call → recording → graph → fusion → plan → replay, with a package for each stage."""

from fastgrad._src.core.hooks import Hook, register

register(Hook.LARGE_ELEMENTWISE, f"{__name__}.fusion.alone")
register(Hook.BACKWARD_PROGRAMS, f"{__name__}.dispatch.backward_program")
register(Hook.FORWARD_PROGRAMS, f"{__name__}.dispatch.forward_program")
register(Hook.ROWS_AT_ONCE, f"{__name__}.control_flow.batching")
register(Hook.CONTROL_FLOW, f"{__name__}.control_flow.control_flow")
