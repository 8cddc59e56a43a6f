"""Queues of tensors: in order, with padding, at random, by priority; between threads."""

import threading
import time


def _queue(tf, kind, *arguments, vals=(), closed=False, **options):
    queue = getattr(tf.queue, kind)(*arguments, **options)
    for element in vals:
        queue.enqueue(element)
    if closed:
        queue.close()
    return queue


def _after(queue, *calls):
    """What some methods answer one after the other."""
    return [getattr(queue, name)(*arguments) for name, *arguments in calls]


def in_order(tf):
    def queue(*arguments, **options):
        return _queue(tf, "FIFOQueue", *arguments, **options)

    f32, i32 = tf.float32, tf.int32
    return {
        "one after the other": lambda: _after(
            queue(3, [f32]),
            ("enqueue", 1.0),
            ("enqueue", 2.0),
            ("size",),
            ("dequeue",),
            ("size",),
            ("dequeue",),
            ("size",),
        ),
        "properties": lambda: [
            (one.dtypes[0] == f32, [str(shape) for shape in one.shapes], one.names)
            for one in (queue(3, f32), queue(3, ["float32"], shapes=[2, 3]), queue(3, [f32], tf.TensorShape(4), "a"))
        ],
        "capacity below 0": lambda: queue(-1, [f32], vals=[1.0, 2.0]).size(),
        "no dtypes": lambda: queue(3, []),
        "fewer shapes": lambda: queue(3, [f32, i32], shapes=[()]),
        "fewer names": lambda: queue(3, [f32, i32], names=["a"]),
        "an unknown size": lambda: queue(3, [f32], shapes=[[None]]),
        "no shapes": lambda: queue(3, [f32], shapes=3),
        "capacity of text": lambda: queue("a", [f32]),
        "no dtype": lambda: queue(2, ["nope"]),
        "element of another shape": lambda: queue(3, [f32], shapes=[[2]]).enqueue([[1.0, 2.0, 3.0]]),
        "element of another dtype": lambda: queue(3, [i32]).enqueue(1.5),
        "tensor of another dtype": lambda: queue(3, [i32]).enqueue(tf.constant(1.5)),
        "fewer tensors": lambda: queue(3, [f32, i32]).enqueue([1.0]),
        "a dict without names": lambda: queue(3, [f32]).enqueue({"a": 1.0}),
        "no dict with names": lambda: queue(3, [f32], names=["a"]).enqueue(1.0),
        "other keys": lambda: queue(3, [f32], names=["a"]).enqueue({"b": 1.0}),
        "dicts": lambda: queue(3, [f32, i32], names=["a", "b"], vals=[{"b": 1, "a": 2.0}]).dequeue(),
        "dicts of many": lambda: queue(
            3, [f32, i32], [(), (1,)], ["a", "b"], vals=[{"b": [1], "a": 2.0}, {"b": [3], "a": 4.0}]
        ).dequeue_many(2),
        "a pair": lambda: queue(3, [f32, i32], vals=[(1.0, 2)]).dequeue(),
        "strings": lambda: queue(3, [tf.string], [()], vals=["a", "b"]).dequeue_many(2),
        "many without shapes": lambda: queue(3, [f32], vals=[1.0, 2.0]).dequeue_many(2),
        "up to without shapes": lambda: queue(3, [f32], vals=[1.0, 2.0]).dequeue_up_to(2),
        "many": lambda: queue(3, [f32], shapes=[()], vals=[1.0, 2.0, 3.0]).dequeue_many(2),
        "many pairs": lambda: queue(3, [f32, i32], shapes=[(), (2,)], vals=[(1.0, [1, 2]), (2.0, [3, 4])]).dequeue_many(
            2
        ),
        "many of none": lambda: queue(3, [f32], shapes=[(2,)]).dequeue_many(0),
        "many of none, closed": lambda: queue(3, [f32], shapes=[(2,)], closed=True).dequeue_many(0),
        "up to none, closed": lambda: queue(3, [f32], shapes=[(2,)], closed=True).dequeue_up_to(0),
        "many of fewer than none": lambda: queue(3, [f32], shapes=[(2,)]).dequeue_many(-1),
        "many of a part": lambda: queue(3, [f32], shapes=[()], vals=[1.0, 2.0]).dequeue_many(1.5),
        "many by a tensor": lambda: queue(3, [f32], shapes=[()], vals=[1.0, 2.0]).dequeue_many(tf.constant(2)),
        "closed": lambda: _after(queue(3, [f32], vals=[1.0]), ("is_closed",), ("close",), ("is_closed",), ("dequeue",)),
        "put into a closed one": lambda: queue(3, [f32], closed=True).enqueue(1.0),
        "put many into a closed one": lambda: queue(3, [f32], closed=True).enqueue_many(tf.constant([1.0])),
        "put none into a closed one": lambda: queue(3, [f32], closed=True).enqueue_many(tf.zeros([0])),
        "closed twice": lambda: queue(3, [f32], closed=True).close(),
        "closed and empty": lambda: queue(3, [f32], closed=True).dequeue(),
        "closed and many": lambda: queue(3, [f32], shapes=[()], vals=[1.0], closed=True).dequeue_many(2),
        "closed and up to": lambda: queue(3, [f32], shapes=[()], vals=[1.0], closed=True).dequeue_up_to(2),
        "closed, empty and up to": lambda: queue(3, [f32], shapes=[()], closed=True).dequeue_up_to(2),
        "put many": lambda: _after(queue(5, [f32]), ("enqueue_many", tf.constant([1.0, 2.0])), ("size",), ("dequeue",)),
        "put many pairs": lambda: _after(
            queue(5, [f32, i32]), ("enqueue_many", ([1.0, 2.0], [3, 4])), ("size",), ("dequeue",)
        ),
        "put many of a list": lambda: _after(queue(5, [f32]), ("enqueue_many", [[1.0, 2.0]]), ("size",), ("dequeue",)),
        "put several lengths": lambda: queue(3, [f32, i32]).enqueue_many(([1.0, 2.0], [3])),
        "put many scalars": lambda: queue(3, [f32]).enqueue_many(1.0),
        "put many of another shape": lambda: queue(3, [f32], shapes=[(2,)]).enqueue_many(tf.constant([1.0, 2.0])),
        "of a list": lambda: tf.queue.QueueBase.from_list(0, [queue(3, [f32])]).dtypes[0] == f32,
        "of no list": lambda: tf.queue.QueueBase.from_list(0, 3),
        "of several dtypes": lambda: tf.queue.QueueBase.from_list(0, [queue(3, [f32]), queue(3, [i32])]),
    }


def _too_few_stay(tf, kind, *arguments):
    queue = _queue(
        tf, kind, *arguments, vals=[3, 1, 2] if kind != "PriorityQueue" else [(3, 3), (1, 1), (1, 2)], closed=True
    )
    try:
        queue.dequeue_many(4)
    except tf.errors.OutOfRangeError:
        return queue.dequeue_many(3)


def padded(tf):
    def queue(*arguments, **options):
        return _queue(tf, "PaddingFIFOQueue", *arguments, **options)

    def rows(**options):
        return queue(5, [tf.int32], [[None]], vals=[[[1]], [[2, 3]], [[4, 5, 6]]], **options)

    return {
        "no shapes": lambda: queue(3, [tf.int32], None),
        "a single shape": lambda: queue(3, [tf.int32], [None]),
        "an unknown rank": lambda: queue(3, [tf.int32], [tf.TensorShape(None)]),
        "fewer shapes": lambda: queue(3, [tf.int32, tf.int32], [[None]]),
        "many": lambda: rows().dequeue_many(3),
        "many of fewer": lambda: rows().dequeue_many(2),
        "one": lambda: rows().dequeue(),
        "up to": lambda: rows(closed=True).dequeue_up_to(5),
        "none": lambda: rows().dequeue_many(0),
        "closed and many": lambda: rows(closed=True).dequeue_many(5),
        "too few stay": lambda: _too_few_stay(tf, "PaddingFIFOQueue", 3, [tf.int32], [[]]),
        "shapes": lambda: [str(shape) for shape in rows().shapes],
        "another rank": lambda: rows().enqueue([[[1]]]),
        "put many": lambda: _after(rows(), ("enqueue_many", [[[7, 8]]]), ("size",), ("dequeue_many", 4)),
        "strings": lambda: queue(
            5, [tf.string], [[None, 2]], vals=[[[["a", "b"]]], [[["c", "d"], ["e", "f"]]]]
        ).dequeue_many(2),
        "pairs": lambda: queue(
            5, [tf.float32, tf.bool], [[None, None], [None]], vals=[([[1.0]], [True]), ([[2.0, 3.0]], [True, True])]
        ).dequeue_many(2),
    }


def at_random(tf):
    def queue(*arguments, vals=(1, 2, 3, 4), **options):
        return _queue(tf, "RandomShuffleQueue", *arguments, dtypes=[tf.int32], vals=vals, **options)

    return {
        "all": lambda: sorted(queue(5, 0, shapes=[()]).dequeue_many(4).numpy().tolist()),
        "all, closed": lambda: sorted(queue(5, 3, shapes=[()], closed=True).dequeue_up_to(9).numpy().tolist()),
        "fewer than must stay, closed": lambda: queue(5, 4, vals=[1, 1], closed=True).dequeue(),
        "too few stay": lambda: sorted(
            _too_few_stay(tf, "RandomShuffleQueue", 3, 0, [tf.int32], [()]).numpy().tolist()
        ),
        "all stay": lambda: queue(5, 5),
        "more stay": lambda: queue(5, 6),
        "fewer than none stay": lambda: queue(5, -1),
        "seed of text": lambda: queue(5, 0, seed="a"),
        "many without shapes": lambda: queue(5, 0).dequeue_many(1),
        "closed and empty": lambda: queue(5, 0, vals=(), closed=True).dequeue(),
    }


def by_priority(tf):
    def queue(*arguments, vals=((3, "c"), (1, "a"), (2, "b"), (1, "z")), **options):
        return _queue(tf, "PriorityQueue", *arguments, vals=vals, **options)

    def letters(**options):
        return queue(6, [tf.string], [()], **options)

    return {
        "dtypes": lambda: [
            dtype == other for dtype, other in zip(letters().dtypes, (tf.int64, tf.string), strict=True)
        ],
        "shapes": lambda: [str(shape) for shape in letters().shapes],
        "one": lambda: letters().dequeue(),
        "many": lambda: letters().dequeue_many(4),
        "up to": lambda: letters().dequeue_up_to(2),
        "too few stay": lambda: _too_few_stay(tf, "PriorityQueue", 3, [tf.int32], [()]),
        "put many": lambda: _after(letters(), ("enqueue_many", ([2, 0], ["x", "y"])), ("dequeue_many", 6)),
        "a vector of priorities": lambda: letters().enqueue(([3], "c")),
        "no priority": lambda: letters().enqueue("c"),
        "a priority of int32": lambda: letters().enqueue((tf.constant(3), "c")),
        "fewer names": lambda: letters(names=["a"], vals=()),
        "names": lambda: letters(names=["p", "a"], vals=[{"p": 2, "a": "b"}, {"p": 1, "a": "a"}]).dequeue(),
    }


def threads(tf):
    def waiting(make, call, then):
        """What a call in a thread answers, which waits until ``then``."""
        queue, answers = make(), []

        def run():
            try:
                answers.append(call(queue))
            except Exception as error:  # noqa: BLE001  # its class is the answer
                answers.append(type(error).__name__)

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        time.sleep(0.2)
        waits = not answers
        more = then(queue)
        thread.join(20)
        return [waits, answers, more, queue.size()]

    def full():
        return _queue(tf, "FIFOQueue", 1, [tf.float32], [()], vals=[1.0])

    def empty(kind="FIFOQueue", *arguments):
        return _queue(tf, kind, 4, *arguments, [tf.float32], [()])

    return {
        "room": lambda: waiting(full, lambda queue: queue.enqueue(2.0), lambda queue: queue.dequeue()),
        "room for many": lambda: waiting(
            full, lambda queue: queue.enqueue_many([[2.0, 3.0]]), lambda queue: [queue.dequeue(), queue.dequeue()]
        ),
        "an element": lambda: waiting(empty, lambda queue: queue.dequeue(), lambda queue: queue.enqueue(2.0)),
        "elements": lambda: waiting(
            empty,
            lambda queue: queue.dequeue_many(6),
            lambda queue: queue.enqueue_many([[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0]]),
        ),
        "up to elements": lambda: waiting(
            empty, lambda queue: queue.dequeue_up_to(3), lambda queue: [queue.enqueue(1.0), queue.close()]
        ),
        "elements that do not come": lambda: waiting(
            empty, lambda queue: queue.dequeue_many(3), lambda queue: [queue.enqueue(1.0), queue.close()]
        ),
        "enough to stay": lambda: waiting(
            lambda: empty("RandomShuffleQueue", 1),
            lambda queue: queue.dequeue(),
            lambda queue: [queue.enqueue(1.0), queue.enqueue(1.0)],
        ),
        "cancelled": lambda: waiting(
            full, lambda queue: queue.enqueue(2.0), lambda queue: queue.close(cancel_pending_enqueues=True)
        ),
        "closed before there is room": lambda: waiting(
            lambda: _queue(tf, "FIFOQueue", 1, [tf.float32], [()], vals=[1.0]),
            lambda queue: [queue.enqueue(2.0), queue.close()],
            lambda queue: queue.dequeue(),
        ),
    }
