"""`make test-numba` tests the versions that pyproject.toml and docs/numba.md name."""

import re
from pathlib import Path

import pytest

pytestmark = pytest.mark.completeness

ROOT = Path(__file__).parents[2]
PROJECT = (ROOT / "pyproject.toml").read_text(encoding="utf-8")


@pytest.mark.parametrize("package", ["llvmlite", "numba"])
def test_the_oldest_version_under_test_is_the_lower_bound(package):
    (bound,) = re.findall(rf'"{package}>=([\d.]+)', PROJECT)
    (oldest,) = re.findall(rf'"{package}==([\d.]+)"', PROJECT)
    assert oldest == f"{bound}.0"


def test_the_page_about_numba_names_the_range():
    (versions,) = re.findall(r'"(numba>=[\d.]+,<[\d.]+)"', PROJECT)
    assert f"`{versions}`" in (ROOT / "docs" / "numba.md").read_text(encoding="utf-8")
