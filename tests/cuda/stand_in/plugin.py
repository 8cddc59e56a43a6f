"""A plugin of pytest (`-p tests.cuda.stand_in.plugin`): tests that simulate a GPU run by cuda-core on the stand-in for its driver."""

import os
import sys
import tempfile

import pytest

from tests.cuda import on_hardware as on_hardware
from tests.cuda.stand_in import driver

driver.install(tempfile.mkdtemp())
_status = []


def pytest_sessionfinish(exitstatus):
    _status.append(int(exitstatus))


@pytest.hookimpl(trylast=True)
def pytest_unconfigure():
    """Ends at once: the packages call the driver when Python is gone, and this one is written in Python."""
    sys.stdout.flush()
    os._exit(_status[0])
