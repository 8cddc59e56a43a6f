"""A product of rotations about axes, each made from its angle: matrices of 3 x 3 in a loop."""

from benchmarks import first_derivatives, first_derivatives_in_jax
from benchmarks.first_derivatives import with_salt
from benchmarks.reported.case import FASTGRAD, JAX, OLD_JAX, Case

CASES = (
    Case(
        name="rotations",
        title="gradient of a product of 1,000 rotations by Rodrigues' formula",
        report="jax #26145",
        link="https://github.com/jax-ml/jax/issues/26145",
        story="Programs of many small operations are five to ten times slower than with JAX 0.4.31. The report is of a "
        "whole simulator; this case is a loop of 3×3 products that stands for such programs.",
        arguments="""
def arguments(size):
    random = np.random.RandomState(0)
    axes = random.normal(size=(size, 3))
    return random.rand(size), axes / np.sqrt((axes * axes).sum(axis=1))[:, None]
""",
        size=1000,
        tiny=4,
        texts={
            FASTGRAD: with_salt(first_derivatives.FUNCTIONS["rotations"][0]),
            JAX: with_salt(first_derivatives_in_jax.FUNCTIONS["rotations"]),
        },
        contestants=(FASTGRAD, JAX, OLD_JAX),
    ),
)
