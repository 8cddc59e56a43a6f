"""PTX and machine code of kernels, for the tests that read them."""

import functools

import pytest

from fastgrad._src.cuda.codegen.compile import COMPILER_PACKAGES, compile_ptx
from fastgrad._src.cuda.codegen.link import link
from fastgrad._src.cuda.devices.finding import _is_installed


def ptx_of(kernel, dtypes, capability):
    """What ``compile_ptx`` gives; the test is skipped, with the reason, where a compiler is not installed."""
    need_compilers()
    return compile_ptx(kernel, dtypes, capability)


def machine_code(text, capability):
    """What ``link`` gives, likewise."""
    need_compilers()
    return link(text, capability)


def need_compilers():
    """Skips the test where a package that makes machine code is not installed."""
    absent = _absent()
    if absent:
        pytest.skip(f"{absent[0]} is not installed")


@functools.cache
def _absent():
    return [package for package in COMPILER_PACKAGES if not _is_installed(package)]
