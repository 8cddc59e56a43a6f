"""Machine code of kernels, for the tests that read what the linker tells of it."""

import pytest

from fastgrad.cuda.building.link import LinkingUnavailable, link


def machine_code(text, capability):
    """What ``link`` gives; the test is skipped, with the reason, where there is no linker."""
    try:
        return link(text, capability)
    except LinkingUnavailable as missing:
        pytest.skip(str(missing).splitlines()[0])
