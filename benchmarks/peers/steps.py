"""A whole training step around a loss function, in each library: forward, gradient, update.

Workloads whose model needs nothing special give a loss function and its parameters, and get the step that is best in that
library.
"""

from collections.abc import Callable, Sequence
from functools import partial
from types import ModuleType
from typing import Any

from benchmarks.data import Inputs
from benchmarks.peers.workload import Batches, Step

EPSILON = 1e-10
"""Adam's, in all libraries. Keras adds it before the second moment's bias is corrected, PyTorch and optax after: with 1e-7 this is
seen in the fourth digit of the losses of the first steps."""
BETAS = (0.9, 0.999)


def batches(convert: Callable[[Any], Any], inputs: Inputs, *names: str) -> Batches:
    """Returns the batches of the inputs, sliced along the first axis, as tensors made by `convert`."""
    return [tuple(map(convert, arrays)) for arrays in zip(*(inputs[name] for name in names), strict=True)]


def tensorflow_step(tf: ModuleType, loss_function: Step, variables: Sequence[Any], optimizer: Any) -> Step:
    """Returns a training step in TensorFlow; `tf` is TensorFlow or fastgrad, `optimizer` one of Keras's."""
    optimizer.build(variables)

    def step(*batch: Any) -> Any:
        with tf.GradientTape() as tape:
            loss = loss_function(*batch)
        gradients = tape.gradient(loss, variables)
        optimizer.apply_gradients(zip(gradients, variables, strict=True))
        return loss

    return step


def torch_step(
    torch: ModuleType,
    loss_function: Step,
    parameters: Sequence[Any],
    optimizer: str,
    rate: float,
    *,
    compiled: bool = False,
) -> Step:
    """Returns a training step in PyTorch with the fused `optimizer` ("Adam" or "SGD"), or as one compiled graph.

    `backward` and the optimizers' classes break a compiled step into pieces; a gradient asked for by
    `torch.autograd.grad` and an update in place do not, and are several times as fast.
    """
    if compiled:
        return _compiled_torch_step(torch, loss_function, parameters, UPDATES[optimizer](torch, parameters, rate))
    loss_function = data_parallel(torch, loss_function, parameters)
    settings = {"eps": EPSILON} if optimizer == "Adam" else {}
    fused = getattr(torch.optim, optimizer)(parameters, lr=rate, fused=True, **settings)

    def step(*batch: Any) -> Any:
        fused.zero_grad()
        loss = loss_function(*batch)
        loss.backward()
        fused.step()
        return loss.detach()

    return step


def data_parallel(torch: ModuleType, loss_function: Step, trained: Sequence[Any]) -> Step:
    """Returns the loss function; in a rank of `benchmarks.peers.data_parallel`, as a module that averages gradients.

    Args:
        torch: the library; a rank sets its `data_parallel`.
        loss_function: takes a batch.
        trained: the parameters, or modules that own them.
    """
    wrap = getattr(torch, "data_parallel", None)
    return wrap(loss_function, trained) if wrap else loss_function


def _compiled_torch_step(
    torch: ModuleType, loss_function: Step, parameters: Sequence[Any], update: Callable[[Sequence[Any]], None]
) -> Step:
    torch._dynamo.config.trace_autograd_ops = True  # lets torch.autograd.grad be part of the graph

    def step(*batch: Any) -> Any:
        loss = loss_function(*batch)
        gradients = torch.autograd.grad(loss, parameters)
        with torch.no_grad():
            update(gradients)
        return loss.detach()

    return torch.compile(step, fullgraph=True, dynamic=False)


def torch_sgd(torch: ModuleType, parameters: Sequence[Any], rate: float) -> Callable[[Sequence[Any]], None]:
    """Returns an in-place gradient descent update for a compiled step."""

    def update(gradients: Sequence[Any]) -> None:
        for parameter, gradient in zip(parameters, gradients, strict=True):
            parameter.sub_(gradient, alpha=rate)

    return update


def torch_adam(torch: ModuleType, parameters: Sequence[Any], rate: float) -> Callable[[Sequence[Any]], None]:
    """Returns an in-place Adam update for a compiled step."""
    first, second = BETAS
    means = [torch.zeros_like(parameter) for parameter in parameters]
    squares = [torch.zeros_like(parameter) for parameter in parameters]
    count = torch.zeros(())

    def update(gradients: Sequence[Any]) -> None:
        count.add_(1.0)
        root = torch.sqrt(1.0 - second**count)
        size = rate * root / (1.0 - first**count)
        for parameter, gradient, mean, square in zip(parameters, gradients, means, squares, strict=True):
            mean.lerp_(gradient, 1.0 - first)
            square.mul_(second).addcmul_(gradient, gradient, value=1.0 - second)
            parameter.sub_(size * mean / (square.sqrt() + EPSILON * root))

    return update


UPDATES = {"SGD": torch_sgd, "Adam": torch_adam}


def jax_step(jax: ModuleType, loss_function: Step, parameters: Any, optimizer: Any) -> Step:
    """Returns a jitted training step in JAX from parameters and optimizer state to new ones, with donated buffers.

    Args:
        jax: the library.
        loss_function: takes the parameters and a batch.
        parameters: a structure of JAX arrays.
        optimizer: one of optax's.
    """
    import optax

    @partial(jax.jit, donate_argnums=(0, 1))
    def update(parameters: Any, state: Any, *batch: Any) -> Any:
        loss, gradients = jax.value_and_grad(loss_function)(parameters, *batch)
        changes, state = optimizer.update(gradients, state, parameters)
        return optax.apply_updates(parameters, changes), state, loss

    state = optimizer.init(parameters)

    def step(*batch: Any) -> Any:
        nonlocal parameters, state
        parameters, state, loss = update(parameters, state, *batch)
        return loss

    return step
