"""A short run draws a part of each family of tests, and other seeds draw the others."""

from pathlib import Path

import pytest

from tests import sampling

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def drawn_with(monkeypatch):
    """A function of the seed, the parts and the names that returns the drawn names."""

    def draw(seed, parts, names):
        monkeypatch.setenv(sampling.VARIABLE, str(seed))
        return sampling.drawn_names(parts, names)

    return draw


def test_one_of_all_neighbours_is_drawn(drawn_with):
    names = [f"test_it[{number}]" for number in range(99)]
    drawn = [names.index(name) for name in drawn_with(5, 3, names)]
    assert sorted(number // 3 for number in drawn) == list(range(33))
    assert len({number % 3 for number in drawn}) > 1


def test_a_seed_draws_the_same_again(drawn_with):
    names = [f"test_it[{number}]" for number in range(50)]
    assert drawn_with(5, 3, names) == drawn_with(5, 3, names) != drawn_with(6, 3, names)


def test_seeds_draw_all_tests_in_time(drawn_with):
    names = [f"test_it[{number}]" for number in range(50)]
    assert set.union(*[drawn_with(seed, 4, names) for seed in range(60)]) == set(names)


def test_one_part_is_all(drawn_with):
    assert drawn_with(5, 1, ["a", "b"]) == {"a", "b"}


def test_each_place_is_there():
    missing = []
    for place in sampling.SHORT_SAMPLES:
        path, _, test = place.partition("::")
        if not (ROOT / path).exists() or f"def {test}" not in ((ROOT / path).read_text("utf-8") if test else "def "):
            missing.append(place)
    assert missing == []


def test_the_longest_place_counts():
    assert (
        sampling.place_of("tests/differentiation/test_gradients.py::test_it")
        == "tests/differentiation/test_gradients.py"
    )
    assert sampling.place_of("tests/differentiation/test_language.py::test_it") == "tests/differentiation/"
    assert sampling.place_of("tests/ops/test_casting.py::test_it") is None


@pytest.mark.parametrize(
    ("family", "count", "is_sweep", "short", "parts"),
    [
        ("tests/differentiation/", 700, False, True, sampling.SHORT_SAMPLES["tests/differentiation/"]),
        ("test_it", 700, False, True, sampling.MANY_CASES_PARTS),
        ("test_it", 700, False, False, 1),
        ("test_it", 2, False, True, 1),
        ("test_it", 2, True, False, sampling.SWEEP_PARTS),
    ],
)
def test_parts(family, count, is_sweep, short, parts):
    assert sampling.parts_of(family, count, is_sweep, short) == parts
