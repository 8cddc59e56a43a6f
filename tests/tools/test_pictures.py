"""The pictures of docs/ belong to their programs."""

import re

import numpy as np
import pytest

from tools.pictures import IMAGES, PICTURES, ROOT, stored_numbers

NEEDS = {"digits": ("sklearn", "tqdm"), "fit": (), "posterior": ("pymc", "nutpie")}
TOLERANCE = {
    "loss": {"rtol": 0.3, "atol": 0.003},  # other processors add in another order
    "accuracy": {"atol": 0.02},
    "counts": {"atol": 40},  # draws of a sampler
    "mean": {"atol": 0.002},
    "deviation": {"rtol": 0.2},
}


@pytest.mark.parametrize("name", PICTURES)
def test_a_committed_picture_has_the_numbers_of_its_program(name):
    """Else: python -m tools.pictures."""
    for package in NEEDS[name]:
        pytest.importorskip(package)
    numbers = PICTURES[name][0]()
    stored = stored_numbers(name)
    assert stored.keys() == numbers.keys()
    for key, values in numbers.items():
        np.testing.assert_allclose(
            stored[key], values, **(TOLERANCE.get(key) or {"rtol": 1e-3, "atol": 2e-4}), err_msg=key
        )


@pytest.mark.parametrize("name", PICTURES)
def test_a_committed_picture_is_drawn_from_its_numbers(name):
    """Else: python -m tools.pictures."""
    assert (IMAGES / f"{name}.svg").read_text(encoding="utf-8") == PICTURES[name][1](stored_numbers(name))


@pytest.mark.parametrize("name", PICTURES)
def test_a_picture_is_small_and_on_a_page(name):
    assert (IMAGES / f"{name}.svg").stat().st_size < 40_000
    pages = [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]
    assert any(re.search(rf"images/{name}\.svg\)", page.read_text(encoding="utf-8")) for page in pages)
