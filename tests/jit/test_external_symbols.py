"""Each symbol of libpython and of the C library that generated code names is in one list, and every installed Python exports it."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

import fastgrad
from fastgrad._src.jit import external_symbols as symbols
from fastgrad._src.jit.wrapper import _DECLARATIONS
from tests.reliability.machines.environments import pythons

SOURCE = {path: path.read_text(encoding="utf-8") for path in Path(fastgrad.__file__).parent.rglob("*.py")}
OF_PYTHON = symbols.PYTHON_SYMBOLS | symbols.PYTHON_FUNCTIONS_BY_ADDRESS
OF_C = symbols.C_SYMBOLS_OF_KERNELS | symbols.C_SYMBOLS_OF_DERIVATIVES
MISSING = """
import ctypes, sys
process = ctypes.CDLL(None)
math = process if hasattr(process, "sin") else ctypes.CDLL("libm.so.6")
names_of_python, names_of_c = (text.split(",") for text in sys.argv[1:])
print(*[name for name in names_of_python if not hasattr(ctypes.pythonapi, name)],
      *[name for name in names_of_c if not (hasattr(process, name) or hasattr(math, name))])
"""


def names_in_source(pattern: str) -> set[str]:
    return {name for text in SOURCE.values() for name in re.findall(pattern, text)}


def test_wrappers_declare_the_listed_symbols_of_python():
    assert set(re.findall(r"@(_?Py\w+)", _DECLARATIONS)) == symbols.PYTHON_SYMBOLS


def test_functions_that_kernels_call_by_address_are_listed():
    assert names_in_source(r"address_of_function\(ctypes\.pythonapi\.(\w+)\)") == symbols.PYTHON_FUNCTIONS_BY_ADDRESS


def test_functions_that_derivatives_call_are_listed():
    listed = symbols.C_SYMBOLS_OF_DERIVATIVES | symbols.NUMBA_SYMBOLS
    external = names_in_source(r'types\.ExternalFunction\(\s*"(\w+)"')
    assert external | names_in_source(r'get_or_insert_function\([^"\n]*"(\w+)"') == listed


@pytest.mark.skipif(
    sys.platform != "linux", reason="libm is a library of its own; other systems have no bzero or sincos"
)
@pytest.mark.parametrize("python", pythons().values(), ids=pythons())
def test_every_installed_python_exports_the_symbols(python):
    command = [python, "-c", MISSING, ",".join(sorted(OF_PYTHON)), ",".join(sorted(OF_C))]
    assert subprocess.run(command, check=True, capture_output=True, text=True).stdout.split() == []
