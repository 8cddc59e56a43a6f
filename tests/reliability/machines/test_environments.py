"""The lowest dependencies that `python -m tests.reliability.machines` installs."""

import pytest
from packaging.requirements import Requirement

from tests.reliability.machines.__main__ import outcomes
from tests.reliability.machines.environments import constraints, drawn, lowest, pythons, requirements


@pytest.mark.parametrize("python", ["3.11", "3.13", "3.14"])
def test_every_dependency_has_a_lowest_version(python):
    lines = constraints(python).splitlines()
    assert {line.partition("==")[0] for line in lines} == {requirement.name for requirement in requirements(python)}


def test_the_lowest_dependencies_of_python_3_11_are_built_for_numpy_2():
    """SciPy 1.11, Matplotlib 3.8.0 and scikit-learn 1.3, which pyproject.toml once allowed, are not."""
    lines = constraints("3.11").splitlines()
    assert {"numpy==2.0.*", "scipy==1.13.*", "matplotlib==3.8.4", "scikit-learn==1.4.2"} <= set(lines)


@pytest.mark.parametrize(
    ("text", "constraint"),
    [("a>=1.2", "a==1.2.*"), ("a>=1.2.3,<2", "a==1.2.3"), ("a>=4", "a==4.0.*"), ("a==2.0.*", "a==2.0.*"), ("a", None)],
)
def test_lowest_of_a_requirement(text, constraint):
    assert lowest(Requirement(text)) == constraint


@pytest.mark.parametrize("others", [["3.11"], ["3.11", "3.12"], ["3.11", "3.12", "3.14"]])
def test_the_oldest_python_is_drawn_most_often_and_each_is_drawn(others):
    versions = [drawn(others, seed) for seed in range(60)]
    assert {*versions} == {*others}
    assert versions.count("3.11") >= 40


def test_pythons_and_the_last_line_of_pytest():
    assert pythons()
    assert outcomes("...\n3 passed in 1 s of what\n2 failed, 7 passed, 1 skipped in 12.34s (0:00:12)\n") == {
        "failed": 2,
        "passed": 7,
        "skipped": 1,
    }
