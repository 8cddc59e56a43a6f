"""``tf.queue``: queues of tuples of tensors, between Python's threads."""

from __future__ import annotations

import heapq
import threading
from collections import deque
from collections.abc import Sequence
from typing import Any

from fastgrad._src.core import errors
from fastgrad._src.core.dtypes import DType, as_dtype, int64
from fastgrad._src.core.eager import inside_function
from fastgrad._src.core.shape import TensorShape
from fastgrad._src.core.tensor import Tensor, convert_to_tensor
from fastgrad._src.ops.creation import zeros
from fastgrad._src.ops.custom_gradient import stop_gradient
from fastgrad._src.ops.joining import stack
from fastgrad._src.ops.padding import pad

Element = tuple[Tensor, ...]


class QueueBase:
    """The base of queues: at most ``capacity`` elements, each a tuple of tensors; threads may put in and take out at the same time.

    Calls wait for room or for elements, in the order in which they came. A gradient does not go through a queue.
    Use one of the classes that derive from it.

    Args:
        dtypes: a dtype for each tensor of an element.
        shapes: for each of them what its shape must be compatible with; None for any.
        names: for each of them a key: then elements are dicts. None for tuples.
        queue_ref: the number of elements that have room.

    Raises:
        ValueError: ``shapes`` or ``names`` has another length than ``dtypes``.
    """

    def __init__(self, dtypes: Sequence[Any], shapes: Any, names: Any, queue_ref: int) -> None:
        self._dtypes = [as_dtype(dtype) for dtype in dtypes]
        for argument, values in (("shapes", shapes), ("names", names)):
            if values is not None and len(values) != len(self._dtypes):
                raise ValueError(
                    f"{type(self).__name__}: `{argument}` and `dtypes` must have the same length; got {len(values)} and "
                    f"{len(self._dtypes)}."
                )
        self._shapes = [TensorShape(None)] * len(self._dtypes) if shapes is None else [TensorShape(x) for x in shapes]
        self._names, self._name = names, "queue"
        self._capacity = queue_ref
        self._changed = threading.Condition()
        # Calls that put in and calls that take out, each in the order in which they came: the first one of each goes on.
        self._putting: deque[object] = deque()
        self._taking: deque[object] = deque()
        self._is_closed = False

    @staticmethod
    def from_list(index: Any, queues: Any) -> QueueBase:
        """Returns ``queues[index]``.

        Args:
            index: an integer, or a tensor of one.
            queues: queues of the same dtypes and names.

        Raises:
            TypeError: these are no queues, or of several dtypes or names.
            InvalidArgumentError: there is no such queue.
        """
        if not queues or not isinstance(queues, list) or not all(isinstance(queue, QueueBase) for queue in queues):
            raise TypeError(f"QueueBase.from_list: A list of queues expected. Received: {queues!r}")
        for what in ("dtypes", "names"):
            if any(getattr(queue, what) != getattr(queues[0], what) for queue in queues):
                raise TypeError(f"QueueBase.from_list: Queues do not have matching component {what}.")
        place = int(convert_to_tensor(index).numpy())
        if not 0 <= place < len(queues):
            raise errors.InvalidArgumentError(
                None, None, f"QueueBase.from_list: index {place} is not in [0, {len(queues)})."
            )
        return queues[place]

    @property
    def queue_ref(self) -> QueueBase:
        """The queue itself; in TensorFlow a handle of it."""
        return self

    @property
    def name(self) -> str:
        """The name that the constructor was given."""
        return self._name

    @property
    def dtypes(self) -> list[DType]:
        """The dtype of each tensor of an element."""
        return self._dtypes

    @property
    def shapes(self) -> list[TensorShape]:
        """What the shape of each tensor of an element must be compatible with."""
        return self._shapes

    @property
    def names(self) -> list[str] | None:
        """The keys of elements, or None."""
        return self._names

    def enqueue(self, vals: Any, name: str | None = None) -> None:
        """Puts in an element; waits while the queue is full.

        Args:
            vals: the tensors of the element: a list or tuple, a dict of a queue with names, or the only tensor.
            name: kept for TensorFlow's signature.

        Raises:
            ValueError: the element has a wrong shape or dtype or too many tensors; or it is a dict, and the queue has no names, or the reverse.
            TypeError: a value is not of the dtype.
            InvalidArgumentError: the element has fewer tensors.
            CancelledError: the queue is closed.
        """
        values = self._checked("enqueue", vals)
        for value, shape in zip(values, self._shapes, strict=True):
            self._check_shape("enqueue", value.shape, shape)
        self._put_all("enqueue", [values])

    def enqueue_many(self, vals: Any, name: str | None = None) -> None:
        """Puts in an element for each position along the first axis; waits for room.

        Args:
            vals: as for ``enqueue``; each tensor with a first axis of the same length.
            name: kept for TensorFlow's signature.

        Raises:
            ValueError: as for ``enqueue``; or a value is a scalar, or the first axes have several lengths.
            TypeError, InvalidArgumentError, CancelledError: as for ``enqueue``.
        """
        values = self._checked("enqueue_many", vals)
        for value, shape in zip(values, self._shapes, strict=True):
            if not value.ndim:
                raise ValueError(f"{self._kind}.enqueue_many: Shape () must have rank at least 1.")
            if value.shape[0] != values[0].shape[0]:
                raise ValueError(
                    f"{self._kind}.enqueue_many: Dimensions {values[0].shape[0]} and {value.shape[0]} are not compatible: "
                    "the first axes must have one length."
                )
            self._check_shape("enqueue_many", value.shape[1:], shape)
        self._put_all("enqueue_many", [tuple(value[i] for value in values) for i in range(values[0].shape[0])])

    def dequeue(self, name: str | None = None) -> Any:
        """Takes out an element; waits for one.

        Args:
            name: kept for TensorFlow's signature.

        Returns:
            The only tensor, a list of the tensors, or a dict of them if the queue has names.

        Raises:
            OutOfRangeError: the queue is closed and empty.
        """
        return self._result(self._take_all("dequeue", 1, False)[0])

    def dequeue_many(self, n: Any, name: str | None = None) -> Any:
        """Takes out ``n`` elements, stacked along a new first axis; waits for them.

        Args:
            n: an integer, or a tensor of one.
            name: kept for TensorFlow's signature.

        Returns:
            As ``dequeue``.

        Raises:
            InvalidArgumentError: ``n`` is negative, or the queue has no shapes.
            OutOfRangeError: the queue is closed and has fewer elements, which stay.
        """
        return self._take_stacked("dequeue_many", n, False)

    def dequeue_up_to(self, n: Any, name: str | None = None) -> Any:
        """Takes out ``n`` elements as ``dequeue_many``, or fewer if the queue is closed and has no more; OutOfRangeError if it has none."""
        return self._take_stacked("dequeue_up_to", n, True)

    def close(self, cancel_pending_enqueues: bool = False, name: str | None = None) -> None:
        """Refuses further elements; those in the queue can be taken out.

        Args:
            cancel_pending_enqueues: whether calls that wait for room end with a CancelledError; else ``close`` waits for them.
            name: kept for TensorFlow's signature.

        Raises:
            CancelledError: the queue is closed.
        """
        self._check_runs("close")
        with self._changed:
            ticket = object()
            if cancel_pending_enqueues:
                self._putting.clear()
            else:
                self._putting.append(ticket)
                self._changed.wait_for(lambda: ticket not in self._putting or self._putting[0] is ticket)
                if ticket in self._putting:
                    self._putting.remove(ticket)
            was_closed, self._is_closed = self._is_closed, True
            self._changed.notify_all()
        if was_closed:
            raise errors.CancelledError(None, None, f"{self._kind}.close: the queue '{self._name}' is already closed.")

    def is_closed(self, name: str | None = None) -> Tensor:
        """Returns whether the queue is closed; ``name`` is kept for TensorFlow's signature."""
        self._check_runs("is_closed")
        return convert_to_tensor(self._is_closed)

    def size(self, name: str | None = None) -> Tensor:
        """Returns the number of elements, int32; ``name`` is kept for TensorFlow's signature."""
        self._check_runs("size")
        with self._changed:
            return convert_to_tensor(self._count(), dtype="int32")

    @property
    def _kind(self) -> str:
        return type(self).__name__

    def _check_runs(self, method: str) -> None:
        if inside_function():
            raise errors.UnimplementedError(
                None,
                None,
                f"{self._kind}.{method}: queues work eagerly, and a tf.function records here. Call the queue outside of it, and the "
                "compiled function with what it gives.",
            )

    def _check_shape(self, method: str, shape: Any, wanted: TensorShape) -> None:
        if not TensorShape(shape).is_compatible_with(wanted):
            raise ValueError(f"{self._kind}.{method}: Shapes {tuple(shape)} and {wanted} are incompatible.")

    def _checked(self, method: str, vals: Any) -> Element:
        """Returns ``vals`` as tensors of the queue's dtypes."""
        self._check_runs(method)
        where = f"{self._kind}.{method}"
        if isinstance(vals, dict):
            if not self._names:
                raise ValueError(f"{where}: the queue must have names to enqueue a dictionary.")
            if sorted(self._names, key=str) != sorted(vals, key=str):
                raise ValueError(
                    f"{where}: Keys in dictionary to enqueue do not match names of Queue. Dictionary: {sorted(vals, key=str)}, "
                    f"Queue: {sorted(self._names, key=str)}"
                )
            vals = [vals[key] for key in self._names]
        elif self._names:
            raise ValueError(f"{where}: a queue with names takes a dictionary with the keys {list(self._names)}.")
        elif not isinstance(vals, (list, tuple)):
            vals = [vals]
        if len(vals) > len(self._dtypes):
            raise ValueError(
                f"{where}: an element has {len(self._dtypes)} tensors, got {len(vals)}. A list is a tuple of tensors; pass "
                "one tensor as tf.constant(list)."
            )
        pairs = zip(vals, self._dtypes, strict=False)
        element = tuple(stop_gradient(convert_to_tensor(value, dtype=dtype)) for value, dtype in pairs)
        if len(element) < len(self._dtypes):
            raise errors.InvalidArgumentError(
                None, None, f"{where}: an element has {len(self._dtypes)} tensors, got {len(element)}."
            )
        return element

    def _put_all(self, method: str, elements: list[Element]) -> None:
        with self._changed:
            ticket = object()
            self._putting.append(ticket)
            try:
                for element in elements:
                    self._changed.wait_for(
                        lambda: (
                            ticket not in self._putting
                            or (self._putting[0] is ticket and (self._is_closed or self._count() < self._capacity))
                        )
                    )
                    if self._is_closed or ticket not in self._putting:
                        raise errors.CancelledError(
                            None, None, f"{self._kind}.{method}: the queue '{self._name}' is closed."
                        )
                    self._put(element)
                    self._changed.notify_all()
            finally:
                if ticket in self._putting:
                    self._putting.remove(ticket)
                self._changed.notify_all()

    def _take_all(self, method: str, n: int, allows_fewer: bool) -> list[Element]:
        """Takes out ``n`` elements as they come; puts them back if the queue closes before there are enough."""
        self._check_runs(method)
        taken: list[Element] = []
        is_done = not n
        with self._changed:
            ticket = object()
            self._taking.append(ticket)
            try:
                while not is_done:
                    self._changed.wait_for(
                        lambda: self._taking[0] is ticket and (self._is_closed or self._available() > 0)
                    )
                    if not self._available():
                        if taken and allows_fewer:
                            break
                        raise errors.OutOfRangeError(
                            None,
                            None,
                            f"{self._kind}.{method}: the queue '{self._name}' is closed and has insufficient elements (requested {n}, "
                            f"current size {len(taken) + self._count()}).",
                        )
                    taken.append(self._take())
                    is_done = len(taken) == n
                    self._changed.notify_all()
            except BaseException:
                self._give_back(taken)
                raise
            finally:
                self._taking.remove(ticket)
                self._changed.notify_all()
        return taken

    def _take_stacked(self, method: str, n: Any, allows_fewer: bool) -> Any:
        if not all(shape.rank is not None for shape in self._shapes):
            raise errors.InvalidArgumentError(
                None,
                None,
                f"{self._kind}.{method}: the components must have specified shapes; pass `shapes` to the constructor.",
            )
        self._check_runs(method)
        count = convert_to_tensor(n, dtype="int32")
        if count.ndim or count.numpy() < 0:
            raise errors.InvalidArgumentError(
                None, None, f"{self._kind}.{method}: `n` must be an integer that is not negative. Received: n={n}"
            )
        elements = self._take_all(method, int(count.numpy()), allows_fewer)
        if not elements:
            pairs = zip(self._shapes, self._dtypes, strict=True)
            return self._result([zeros([0, *(size or 0 for size in shape)], dtype) for shape, dtype in pairs])
        return self._result([self._stacked(tensors) for tensors in zip(*elements, strict=True)])

    def _stacked(self, tensors: Sequence[Tensor]) -> Tensor:
        return stack(list(tensors))

    def _result(self, tensors: Sequence[Tensor]) -> Any:
        if self._names:
            return dict(zip(self._names, tensors, strict=True))
        return tensors[0] if len(tensors) == 1 else list(tensors)

    def _count(self) -> int:
        """Returns the number of elements."""
        raise NotImplementedError("QueueBase has no elements: use tf.queue.FIFOQueue or another class of tf.queue.")

    def _available(self) -> int:
        """Returns how many elements can be taken out now."""
        return self._count()

    def _put(self, element: Element) -> None:
        raise NotImplementedError

    def _take(self) -> Element:
        raise NotImplementedError

    def _give_back(self, elements: list[Element]) -> None:
        """Puts back elements that ``_take`` gave, in its order."""
        raise NotImplementedError


def _listed(values: Any) -> list[Any]:
    return list(values) if isinstance(values, (list, tuple)) else [values]


def _capacity(kind: str, capacity: Any) -> int:
    """Returns how many elements have room; a negative number stands for any."""
    if isinstance(capacity, bool) or not hasattr(capacity, "__index__"):
        raise TypeError(f"{kind}: Expected int for argument 'capacity' not {capacity!r}.")
    return 2**31 - 1 if int(capacity) < 0 else int(capacity)


def _full_shapes(kind: str, shapes: Any, dtypes: list[Any]) -> list[TensorShape] | None:
    """Returns the shapes of tensors of an element, which must be known."""
    if shapes is None:
        return None
    if isinstance(shapes, TensorShape):
        shapes = [shapes]
    if not isinstance(shapes, (tuple, list)):
        raise TypeError(
            f"{kind}: Shapes must be a TensorShape or a list or tuple of TensorShapes, got {type(shapes)} instead."
        )
    if shapes and all(shape is None or isinstance(shape, int) for shape in shapes):
        shapes = [shapes]
    shapes = [TensorShape(shape) for shape in shapes]
    if not all(shape.is_fully_defined() for shape in shapes):
        raise ValueError(f"{kind}: All shapes must be fully defined: {shapes}")
    if len(shapes) != len(dtypes):
        raise errors.InvalidArgumentError(
            None, None, f"{kind}: `shapes` and `dtypes` must have the same length; got {len(shapes)} and {len(dtypes)}."
        )
    return shapes


class FIFOQueue(QueueBase):
    """A queue that gives elements in the order in which they came.

    Args:
        capacity: how many elements have room; any number if it is negative.
        dtypes: a dtype for each tensor of an element; one for elements of one tensor.
        shapes: a shape without unknown sizes for each of them; None for any, without ``dequeue_many`` and ``dequeue_up_to``.
        names: for each of them a key: then elements are dicts. None for tuples.
        shared_name: kept for TensorFlow's signature.
        name: of the queue.

    Raises:
        TypeError: ``capacity`` is no integer, ``shapes`` are no shapes, or a dtype is none.
        ValueError: a shape is not known, or there are more or fewer names than dtypes.
        InvalidArgumentError: there is no dtype, or there are more or fewer shapes than dtypes.
    """

    def __init__(
        self,
        capacity: int,
        dtypes: Any,
        shapes: Any = None,
        names: Any = None,
        shared_name: str | None = None,
        name: str = "fifo_queue",
    ) -> None:
        types = _listed(dtypes)
        self._start(capacity, types, _full_shapes(self._kind, shapes, types), names, name)

    def _start(self, capacity: Any, dtypes: list[Any], shapes: Any, names: Any, name: str) -> None:
        if not dtypes:
            raise errors.InvalidArgumentError(
                None, None, f"{self._kind}: `dtypes` must have at least one dtype; got none."
            )
        keys = None if names is None else _listed(names)
        QueueBase.__init__(self, dtypes, shapes, keys, _capacity(self._kind, capacity))
        self._name = name
        self._elements: Any = self._empty()

    def _empty(self) -> Any:
        return deque()

    def _count(self) -> int:
        return len(self._elements)

    def _put(self, element: Element) -> None:
        self._elements.append(element)

    def _take(self) -> Element:
        element: Element = self._elements.popleft()
        return element

    def _give_back(self, elements: list[Element]) -> None:
        self._elements.extendleft(reversed(elements))


class PaddingFIFOQueue(FIFOQueue):
    """A queue like ``FIFOQueue`` whose shapes may have unknown sizes: elements that are stacked are filled up with zeros at the end.

    Args:
        capacity, dtypes, names, shared_name, name: as for ``FIFOQueue``.
        shapes: a list of a shape of known rank for each tensor of an element.

    Raises:
        TypeError: as for ``FIFOQueue``.
        ValueError: ``shapes`` is no list of a shape of known rank for each dtype, or as for ``FIFOQueue``.
    """

    def __init__(
        self,
        capacity: int,
        dtypes: Any,
        shapes: Any,
        names: Any = None,
        shared_name: str | None = None,
        name: str = "padding_fifo_queue",
    ) -> None:
        if not isinstance(shapes, (list, tuple)) or not shapes or any(x is None or isinstance(x, int) for x in shapes):
            raise ValueError(
                f"PaddingFIFOQueue: When providing partial shapes, a list of shapes must be provided. Received: shapes={shapes}"
            )
        all_shapes, types = [TensorShape(shape) for shape in shapes], _listed(dtypes)
        if any(shape.rank is None for shape in all_shapes):
            raise ValueError(f"PaddingFIFOQueue: All shapes must have a defined rank: {all_shapes}")
        self._start(capacity, types, all_shapes, names, name)

    def _stacked(self, tensors: Sequence[Tensor]) -> Tensor:
        sizes = [max(lengths) for lengths in zip(*[x.shape for x in tensors], strict=True)]
        return stack([_filled(x, sizes) for x in tensors])


def _filled(x: Tensor, sizes: list[int]) -> Tensor:
    paddings = [[0, size - length] for size, length in zip(sizes, x.shape, strict=True)]
    if not any(after for _, after in paddings):
        return x
    return pad(x, paddings, constant_values="" if x.dtype == "string" else 0)


class RandomShuffleQueue(FIFOQueue):
    """A queue that gives elements in a random order.

    Args:
        capacity: how many elements have room; any number if it is negative.
        min_after_dequeue: how many elements stay in the queue, so that they mix, until it is closed.
        dtypes, shapes, names, shared_name, name: as for ``FIFOQueue``.
        seed: an integer, for the same order again; None for another one in each queue, which ``tf.random.set_seed`` determines.

    Raises:
        TypeError: ``seed`` is no integer, or as for ``FIFOQueue``.
        InvalidArgumentError: ``min_after_dequeue`` is negative or not below ``capacity``, or as for ``FIFOQueue``.
        ValueError: as for ``FIFOQueue``.
    """

    def __init__(
        self,
        capacity: int,
        min_after_dequeue: int,
        dtypes: Any,
        shapes: Any = None,
        names: Any = None,
        seed: int | None = None,
        shared_name: str | None = None,
        name: str = "random_shuffle_queue",
    ) -> None:
        if seed is not None and not hasattr(seed, "__index__"):
            raise TypeError(f"RandomShuffleQueue: `seed` must be an integer or None. Received: seed={seed!r}")
        if not hasattr(min_after_dequeue, "__index__"):
            raise TypeError(
                f"RandomShuffleQueue: Expected int for argument 'min_after_dequeue' not {min_after_dequeue!r}."
            )
        super().__init__(capacity, dtypes, shapes, names, shared_name, name)
        if not 0 <= min_after_dequeue < self._capacity:
            raise errors.InvalidArgumentError(
                None,
                None,
                f"RandomShuffleQueue: min_after_dequeue {min_after_dequeue} must be >= 0 and < capacity {capacity}.",
            )
        self._left = int(min_after_dequeue)
        import random  # here, since few programs have queues

        self._draws = random.Random(_default_seed() if seed is None else int(seed))  # noqa: S311  # no secret

    def _empty(self) -> Any:
        return []

    def _available(self) -> int:
        return self._count() if self._is_closed else max(self._count() - self._left, 0)

    def _take(self) -> Element:
        place = self._draws.randrange(len(self._elements))
        self._elements[place], self._elements[-1] = self._elements[-1], self._elements[place]
        element: Element = self._elements.pop()
        return element

    def _give_back(self, elements: list[Element]) -> None:
        self._elements.extend(elements)


def _default_seed() -> int:
    from fastgrad._src.ops.random_ops import uniform

    return int(uniform([], maxval=2**31 - 1, dtype="int32").numpy())


class PriorityQueue(FIFOQueue):
    """A queue that gives the element of the least priority first; those of the same in the order in which they came.

    Args:
        capacity: how many elements have room; any number if it is negative.
        types: a dtype for each tensor of an element after the first one, the priority, which is an int64 scalar.
        shapes: a shape for each of them, as for ``FIFOQueue``.
        names: a key for the priority and for each of them.
        shared_name, name: as for ``FIFOQueue``.

    Raises:
        TypeError, ValueError, InvalidArgumentError: as for ``FIFOQueue``.
    """

    def __init__(
        self,
        capacity: int,
        types: Any,
        shapes: Any = None,
        names: Any = None,
        shared_name: str | None = None,
        name: str = "priority_queue",
    ) -> None:
        dtypes = _listed(types)
        rest = _full_shapes(self._kind, shapes, dtypes)
        all_shapes: list[Any] = [TensorShape(None)] * len(dtypes) if rest is None else list(rest)
        self._order = 0
        self._start(capacity, [int64, *dtypes], [TensorShape([]), *all_shapes], names, name)

    def _empty(self) -> Any:
        return []

    def _put(self, element: Element) -> None:
        self._order += 1
        heapq.heappush(self._elements, (int(element[0].numpy()), self._order, element))

    def _take(self) -> Element:
        element: Element = heapq.heappop(self._elements)[2]
        return element

    def _give_back(self, elements: list[Element]) -> None:
        # Before those of the same priority that came later.
        for place, element in enumerate(elements):
            heapq.heappush(self._elements, (int(element[0].numpy()), place - len(elements) - self._order, element))
