"""The page of Keras's backends: its numbers, and that it belongs to the committed results."""

import xml.etree.ElementTree as ET

import pytest

from benchmarks.keras_backends import worker_models
from benchmarks.keras_backends.page import PAGE, PICTURE, page, picture, ratio, sentence, stored


def result(**factors):
    """Returns the results of a model whose backends take ``factors`` times what fastgrad takes."""
    backends = {}
    for backend, factor in {"fastgrad": 1.0, **factors}.items():
        times = [factor * time for time in (10.0, 20.0, 30.0)]
        backends[backend] = {
            "fit": times,
            "train_on_batch": times,
            "predict": times,
            "first epoch": factor,
            "versions": {},
        }
    backends["fastgrad"] |= {"first epoch, no kernels on disk": 3.0, "versions": {"Keras": "3.15.1"}}
    machine = {"cpu": "a processor", "processors": 2}
    return {"backends": backends, "threads": 2, "date": "2026-11-30T00:00:00", "machine": machine}


def test_ratios_are_medians_of_those_of_a_round():
    backends = {"fastgrad": {"fit": [1.0, 2.0, 4.0]}, "jax": {"fit": [4.0, 6.0, 8.0]}}
    assert ratio(backends, "jax", "fit") == 3.0


def test_the_page_says_who_is_ahead_and_who_is_behind():
    ahead = {"one": result(jax=2.0, tensorflow=9.0), "two": result(jax=8.0, torch=9.0)}
    told = (
        "`fit` on fastgrad is 4.00 times as fast as on the fastest other backend, in the geometric mean of the 2 models"
    )
    assert sentence(ahead).startswith(told)
    assert sentence(ahead).endswith("at least 2.00 times in all 2. No other backend is faster in any row.")
    behind = sentence({"one": result(jax=0.5)})
    assert "behind in `fit` of one (0.500 on JAX), `train_on_batch` of one (0.500 on JAX)" in behind
    assert "| one | 20.0 |  | 40.0 (2.00) | 180 (9.00) |  |" in page(ahead)
    assert "| two | 1.00 |  | 8.00 |  | 9.00 | 3.00 |" in page(ahead)


def test_the_picture_has_a_mark_for_each_backend():
    tree = ET.fromstring(picture({"one": result(jax=2.0, tensorflow=9.0), "two": result(torch=9.0)}))
    circles = [each for each in tree.iter("{http://www.w3.org/2000/svg}circle") if len(each)]
    assert [each.attrib["class"] for each in circles] == ["jax", "tensorflow", "pytorch"]


def test_the_committed_page_is_that_of_the_committed_results():
    """Else: python -m benchmarks.keras_backends --page."""
    results_by_model = stored()
    if not results_by_model:
        pytest.skip("nothing is measured yet")
    assert list(results_by_model) == worker_models()
    assert PAGE.read_text(encoding="utf-8") == page(results_by_model)
    assert PICTURE.read_text(encoding="utf-8") == picture(results_by_model)
