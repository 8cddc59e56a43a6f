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


def test_a_test_without_cases_in_reliability_is_drawn_always():
    assert sampling.is_whole(
        "tests/reliability/bad_input/test_wrong_calls.py::test_there_is_a_wrong_call_of_each_public_name"
    )
    assert sampling.is_whole("tests/tools/test_tests.py::test_every_test_asserts_something")
    assert not sampling.is_whole("tests/reliability/bad_input/test_wrong_calls.py::test_it[a]")
    assert not sampling.is_whole("tests/differentiation/test_gradients.py::test_it")


def test_slow_tests_are_drawn_seldom(monkeypatch):
    quick = {f"tests/ops/test_it.py::test_{number}" for number in range(30)}
    slow = {f"tests/compiler/test_it.py::test_it[{number}]": 3 + number % 2 * 17 for number in range(90)}
    whole = {f"tests/reliability/faults/test_it.py::test_{number}": 20 for number in range(5)}
    rare = {f"tests/differentiation/test_linear_algebra.py::test_{number}": 20 for number in range(5)}
    monkeypatch.setattr(sampling, "slow_tests", lambda: slow | whole | rare)
    drawn = set()
    for seed in range(50):
        monkeypatch.setenv(sampling.VARIABLE, str(seed))
        left = sampling.without_some_slow_tests(quick | set(slow) | set(whole) | set(rare))
        assert quick | set(whole) | set(rare) <= left
        assert 15 <= sum(slow.get(name) == 3 for name in left) <= 15
        assert 7 <= sum(slow.get(name) == 20 for name in left) <= 8
        drawn |= left
    assert set(slow) <= drawn


def test_tests_of_completeness_that_take_seconds_are_drawn_always(monkeypatch):
    complete = {
        f"tests/reliability/hostile_files/test_call_sites.py::test_{number}": 2 + number % 2 for number in range(20)
    }
    monkeypatch.setattr(sampling, "slow_tests", lambda: complete)
    monkeypatch.setenv(sampling.VARIABLE, "1")
    assert sampling.without_some_slow_tests(set(complete)) == set(complete)


def test_the_modules_of_slow_tests_are_there():
    modules = {name.partition("::")[0] for name in sampling.slow_tests()}
    assert [name for name in sorted(modules) if not (ROOT / name).exists()] == []
