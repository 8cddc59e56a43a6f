"""The worked example of the README of derivatives is what the stages make."""

import math
import re
from pathlib import Path

import numba
from numba import types

import fastgrad._src.derivatives
from fastgrad._src.derivatives.derivation import lowered_function
from fastgrad._src.derivatives.output.text import text_of_code
from fastgrad._src.derivatives.transform.reverse_mode import ReverseMode

README = Path(fastgrad._src.derivatives.__file__).with_name("README.md").read_text(encoding="utf-8")


def test_the_text_of_the_readme_is_that_of_the_derivative():
    function_text, text = re.findall(r"```(?:python|text)\n(.*?)```", README, re.DOTALL)[:2]
    scope = {"numba": numba, "math": math}
    exec(function_text, scope)
    lowered, flow = lowered_function(scope["f"], (types.float64, types.int64), is_reverse=True)
    derivative = ReverseMode(lowered, flow, (0,), 0).derivative(lambda result, cotangents: f"{result}, {cotangents[0]}")

    # The names of Numba's variables have positions in the bytecode, which differ among versions of Python.
    def without_numbers(lines):
        return [re.sub(r"v_\d+call|mul\d+", "", line.partition("#")[0]).strip() for line in lines]

    source, shown = without_numbers(text_of_code(derivative.code).splitlines()), without_numbers(text.splitlines())
    first = source.index(shown[0])
    assert source[first : first + len(shown)] == shown
