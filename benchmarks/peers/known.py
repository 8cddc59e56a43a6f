"""The peers: which library, and which of a workload's programs it runs."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Peer:
    """A library in one of its modes.

    Attributes:
        name: its name on the command line and in tables.
        modules: what has to be importable, the library itself first.
        program: the name of the function in a workload's file that it runs.
        compiled: whether the step goes through the library's `tf.function`.
        about: the mode in words.
    """

    name: str
    modules: tuple[str, ...]
    program: str
    about: str
    compiled: bool = False


PEERS = {
    peer.name: peer
    for peer in (
        Peer("fastgrad", ("fastgrad",), "tensorflow", "eager"),
        Peer("torch", ("torch",), "torch", "eager, fused Adam"),
        Peer("tensorflow", ("tensorflow",), "tensorflow", "eager"),
        Peer("tf.function", ("tensorflow",), "tensorflow", "the step in tf.function", compiled=True),
        Peer("jax", ("jax", "optax"), "jax", "jit with donated buffers, optax"),
    )
}
