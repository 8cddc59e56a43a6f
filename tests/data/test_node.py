"""Elements that could not be made: each stage tells of the error and goes on with the next element, as TensorFlow's."""

from typing import Any

import pytest

import fastgrad as tf

Dataset = tf.data.Dataset
INT32 = tf.TensorSpec((), tf.int32)


def fails_at_3_and_6(x: Any) -> Any:
    number = tf.where((x == 3) | (x == 6), float("nan"), tf.cast(x, tf.float32))
    return tf.cast(tf.debugging.check_numerics(number, "bad"), tf.int64)


def numbers() -> Any:
    return Dataset.range(10).map(fails_at_3_and_6)


class Countdown:
    """An iterator that raises at 3 and 5, and goes on."""

    def __init__(self) -> None:
        self.number = 0

    def __iter__(self) -> Any:
        return self

    def __next__(self) -> int:
        self.number += 1
        if self.number in (3, 5):
            raise ValueError("lost")
        if self.number > 7:
            raise StopIteration
        return self.number


def a_generator_that_raises() -> Any:
    yield from range(3)
    raise ValueError("lost")


def sequence(dataset: Any) -> str:
    """The elements up to the end, with an exclamation mark for each error."""
    iterator, texts = iter(dataset), []
    while True:
        try:
            element = next(iterator)
        except StopIteration:
            return " ".join(texts)
        except (ValueError, tf.errors.InvalidArgumentError):
            texts.append("!")
        else:
            leaves = tf.nest.map_structure(lambda tensor: tensor.numpy().tolist(), element)
            texts.append(str(leaves).replace(" ", ""))


def windows(**arguments: Any) -> Any:
    return numbers().window(3, **arguments).flat_map(lambda window: window.batch(3))


def inner_numbers(x: Any) -> Any:
    return Dataset.range(5).map(lambda y: fails_at_3_and_6(x + y))


def pairs(x: Any) -> Any:
    return Dataset.from_tensors(fails_at_3_and_6(x)).repeat(2)


CASES = [
    ("map", numbers, "0 1 2 ! 4 5 ! 7 8 9"),
    ("map by threads", lambda: Dataset.range(10).map(fails_at_3_and_6, 2), "0 1 2 ! 4 5 ! 7 8 9"),
    ("map of a map", lambda: numbers().map(lambda x: 2 * x), "0 2 4 ! 8 10 ! 14 16 18"),
    ("filter", lambda: Dataset.range(10).filter(lambda x: fails_at_3_and_6(x) % 2 == 0), "0 2 ! 4 ! 8"),
    ("filter after", lambda: numbers().filter(lambda x: x % 2 == 0), "0 2 ! 4 ! 8"),
    ("take_while", lambda: Dataset.range(10).take_while(lambda x: fails_at_3_and_6(x) < 8), "0 1 2 ! 4 5 ! 7"),
    ("take", lambda: numbers().take(5), "0 1 2 ! 4 5"),
    ("skip", lambda: numbers().skip(2), "2 ! 4 5 ! 7 8 9"),
    ("skip begins again", lambda: numbers().skip(5), "! !"),
    ("repeat", lambda: numbers().take(4).repeat(2), "0 1 2 ! 4 0 1 2 ! 4"),
    ("shard 0", lambda: numbers().shard(2, 0), "0 2 ! 5 ! 8"),
    ("shard 1", lambda: numbers().shard(2, 1), "1 ! 4 ! 7 9"),
    ("batch", lambda: numbers().batch(4), "! ! [8,9]"),
    ("batch without the rest", lambda: numbers().batch(3, drop_remainder=True), "[0,1,2] ! !"),
    ("padded_batch", lambda: numbers().padded_batch(4), "! ! [7,8,9]"),
    ("prefetch", lambda: numbers().prefetch(2), "0 1 2 ! 4 5 ! 7 8 9"),
    ("cache", lambda: numbers().cache().repeat(2), "0 1 2 ! 4 5 ! 7 8 9 0 1 2 4 5 7 8 9"),
    ("zip", lambda: Dataset.zip(Dataset.range(5), numbers()), "(0,0) (1,1) (2,2) ! (4,4)"),
    ("concatenate", lambda: numbers().concatenate(Dataset.range(2)), "0 1 2 ! 4 5 ! 7 8 9 0 1"),
    ("flat_map", lambda: Dataset.range(5).flat_map(pairs), "0 0 1 1 2 2 ! 4 4"),
    ("flat_map, inside", lambda: Dataset.range(3).flat_map(inner_numbers), "0 1 2 ! 4 1 2 ! 4 5 2 ! 4 5 !"),
    ("interleave", lambda: Dataset.range(8).interleave(pairs, 2), "0 1 0 1 2 ! 4 2 4 5 ! 7 5 7"),
    ("interleave, inside", lambda: Dataset.range(3).interleave(inner_numbers, 2), "0 1 1 2 2 ! 4 ! 4 5 2 ! 4 5 !"),
    (
        "interleave, inside, in blocks",
        lambda: Dataset.range(3).interleave(inner_numbers, 2, block_length=2),
        "0 1 1 2 2 ! 4 ! 4 5 2 ! 4 5 !",
    ),
    (
        "scan",
        lambda: Dataset.range(6).scan(tf.constant(0, tf.int64), lambda s, x: (s + fails_at_3_and_6(x), s + x)),
        "0 1 3 ! 7 12",
    ),
    ("unique", lambda: numbers().unique(), "0 1 2 ! 4 5 ! 7 8 9"),
    ("unbatch", lambda: numbers().take(4).map(lambda x: tf.fill([2], x)).unbatch(), "0 0 1 1 2 2 ! 4 4"),
    (
        "rebatch",
        lambda: numbers().map(lambda x: tf.fill([2], x)).rebatch(3),
        "[0,0,1] [1,2,2] ! [4,4,5] ! [7,7,8] [8,9,9]",
    ),
    ("window", windows, "[0,1,2] ! ! [9]"),
    ("overlapping windows", lambda: windows(shift=1), "[0,1,2] ! ! ! ! ! ! [7,8,9] [8,9] [9]"),
    (
        "group_by_window",
        lambda: numbers().group_by_window(lambda x: x % 2, lambda key, group: group.batch(3), 3),
        "! [0,2,4] ! [1,5,7] [8] [9]",
    ),
    (
        "group_by_window, inside",
        lambda: Dataset.range(10).group_by_window(
            lambda x: x % 2, lambda key, group: group.map(fails_at_3_and_6).batch(2), 2
        ),
        "[0,2] ! ! [5,7] [8] [9]",
    ),
    (
        "choose_from_datasets",
        lambda: Dataset.choose_from_datasets([numbers(), Dataset.range(50, 60)], Dataset.range(2).repeat(5)),
        "0 50 1 51 2 52 ! 53 4 54",
    ),
    (
        "batch of different shapes",
        lambda: Dataset.range(8).map(lambda x: tf.ones([1 + tf.cast(x == 3, tf.int32)])).batch(2).map(tf.size),
        "2 ! 2 2",
    ),
    ("an iterator", lambda: Dataset.from_generator(Countdown, output_signature=INT32), "1 2 ! 4 ! 6 7"),
    ("a generator", lambda: Dataset.from_generator(a_generator_that_raises, output_signature=INT32), "0 1 2 !"),
    (
        "values that do not fit",
        lambda: Dataset.from_generator(lambda: iter([0, "text", [1], 5]), output_signature=INT32),
        "0 ! ! 5",
    ),
]


@pytest.mark.parametrize(("make", "expected"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_stages_go_on_after_an_error(make, expected):
    assert sequence(make()) == expected
    assert sequence(make().ignore_errors()) == " ".join(text for text in expected.split() if text != "!")


def test_arrays_go_on_after_an_error():
    iterator = numbers().take(4).as_numpy_iterator()
    assert [next(iterator) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(tf.errors.InvalidArgumentError, match="bad"):
        next(iterator)
    assert list(iterator) == [4]


def test_a_dataset_with_an_error_is_not_saved(tmp_path):
    with pytest.raises(tf.errors.InvalidArgumentError, match="bad"):
        numbers().save(str(tmp_path))
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(tf.errors.NotFoundError):
        Dataset.load(str(tmp_path))
