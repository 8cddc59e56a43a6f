"""The peers: which library, which of a workload's programs it runs, and how it compiles the step."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

from benchmarks.peers.workload import Program, Step, Workload


@dataclass(frozen=True)
class Peer:
    """A peer: a library in one of its modes, such as eager or compiled.

    Attributes:
        name: its name on the command line and in tables.
        modules: what has to be importable, the library itself first.
        programs: the kinds of program it can run, the best first; it runs the first that a workload has.
        about: the mode in words.
        compile: the name of the library's function that compiles a step; empty if the program does what is needed.
        options: arguments of that function.
        environment: environment variables of its process.
        kept_by: the environment variables that name the folder where it keeps what it has compiled; empty if it keeps nothing.
    """

    name: str
    modules: tuple[str, ...]
    programs: tuple[str, ...]
    about: str
    compile: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    kept_by: tuple[str, ...] = ()

    @property
    def library(self) -> str:
        """The name of the library; several peers may be modes of one library."""
        return self.modules[0]

    def program(self, workload: Workload) -> Program | None:
        """Returns the workload's program for this peer; None if the workload has none."""
        return next((workload.programs[kind] for kind in self.programs if kind in workload.programs), None)

    def takes_part(self, workload: Workload) -> bool:
        """True if the workload is meant for peers of this kind; it may still have no program for this one."""
        return any(kind in workload.programs for kind in self.programs)

    def can_compile(self, library: ModuleType) -> bool:
        """True if this version of the library has the function that compiles the step."""
        return not self.compile or hasattr(library, self.compile)

    def compiled(self, library: ModuleType, step: Step) -> Step:
        """Returns the step, compiled if this peer compiles."""
        return getattr(library, self.compile)(step, **self.options) if self.compile else step


MEASURED = "fastgrad"
"""The library whose ratios over the others are shown."""

PEERS = {
    peer.name: peer
    for peer in (
        Peer("fastgrad", ("fastgrad",), ("fit", "tensorflow"), "eager", kept_by=("FASTGRAD_CACHE_DIR",)),
        Peer(
            "fastgrad.function",
            ("fastgrad",),
            ("tensorflow",),
            "the step in fastgrad.function",
            "function",
            kept_by=("FASTGRAD_CACHE_DIR",),
        ),
        Peer("torch", ("torch",), ("torch",), "eager, fused optimizer"),
        Peer(
            "torch.compile",
            ("torch",),
            ("torch.compile",),
            "the step in torch.compile, Inductor with C++",
            kept_by=("TORCHINDUCTOR_CACHE_DIR",),
        ),
        Peer(
            "jax", ("jax", "optax"), ("jax",), "jit with donated buffers, optax", kept_by=("JAX_COMPILATION_CACHE_DIR",)
        ),
        Peer("tensorflow", ("tensorflow",), ("fit", "tensorflow"), "eager"),
        Peer("tf.function", ("tensorflow",), ("tensorflow",), "the step in tf.function", "function"),
        Peer(
            "xla",
            ("tensorflow",),
            ("xla", "tensorflow"),
            "the step in tf.function(jit_compile=True)",
            "function",
            {"jit_compile": True},
        ),
        Peer("keras.jax", ("keras", "jax"), ("fit",), "Keras on JAX", environment={"KERAS_BACKEND": "jax"}),
        Peer("keras.torch", ("keras", "torch"), ("fit",), "Keras on PyTorch", environment={"KERAS_BACKEND": "torch"}),
    )
}
OURS = tuple(peer.name for peer in PEERS.values() if peer.library == MEASURED)
"""The modes of the measured library."""
