"""``tf.function``: a Python function that is recorded when it is first called, and replayed from then on."""

from __future__ import annotations

import functools
import threading
import weakref
from collections import OrderedDict
from collections.abc import Callable
from types import MethodType
from typing import Any, NamedTuple

from fastgrad.recording import recorders
from fastgrad.tensor import Tensor
from fastgrad.trace import turns
from fastgrad.trace.captures import MISS, Captures
from fastgrad.trace.entry import entry_of
from fastgrad.trace.record import Recording
from fastgrad.trace.results import Results, as_results
from fastgrad.trace.signature import Call, Floats, Signature, rebuilt, stand_ins
from fastgrad.trace.state import Saved
from fastgrad.trace.ways import Way, Ways

KEYS = 64
"""How many keys a function keeps: those used last."""

ENTRIES = 4
"""How many forms of a call (by position or name, tensors or arrays) have an entry of their own."""

VERSIONS = 8
"""How many versions of its captured names a key keeps."""


class CacheInfo(NamedTuple):
    """What a function has recorded.

    Attributes:
        recordings: how often its Python ran to be recorded.
        keys: the different arguments that are kept.
        programs: the recordings that are kept, over all keys.
        maxsize: how many keys are kept at most.
    """

    recordings: int
    keys: int
    programs: int
    maxsize: int


class Version:
    """What was recorded of one key while certain names were captured."""

    def __init__(self, captures: Captures) -> None:
        self.captures = captures
        self.ways = Ways()
        self.entries: dict[Any, Any] = {}


class Key:
    """What was recorded of one key, the version used last first."""

    def __init__(self) -> None:
        self.versions: list[Version] = []
        self.made_variables: Captures | None = None
        self.watches: list[Any] = []

    def version(self, objects: list[Any]) -> Version | None:
        """The version whose captured names are what they are now."""
        for version in self.versions:
            if version.captures.hold(objects):
                if version is not self.versions[0]:
                    self.versions.remove(version)
                    self.versions.insert(0, version)
                return version
        return None


class Function:
    """A Python function with its recordings; made by ``tf.function``.

    The first call with certain arguments runs eagerly and is recorded; the second compiles what was recorded, and from then
    on a call replays it, without running the Python function.
    """

    records_graphs = True

    def __init__(
        self,
        python_function: Callable[..., Any],
        input_signature: Any = None,
        verify: int = 0,
        instance: Any = None,
    ) -> None:
        functools.update_wrapper(self, python_function, updated=())
        self._python = python_function
        self._input_signature = input_signature
        self._verify = verify
        self._instance = None if instance is None else weakref.ref(instance)
        self._signature = Signature(python_function, input_signature, 0 if instance is None else 1)
        self._floats = Floats()
        self._cache: OrderedDict[Any, Key] = OrderedDict()
        self._bound: dict[int, tuple[Any, Function]] = {}
        self._entry: Callable[..., Any] | None = None
        self._recordings = 0
        self._lock = threading.RLock()

    # ---- calling -------------------------------------------------------------------------------------------

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Calls the function: a replay where there is one, else a run that is recorded."""
        if self._entry is not None:
            found = self._entry(args, kwargs)
            if found is not MISS:
                return found
        return self._call(args, kwargs)

    def _call(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        arguments = self._signature.bind(args, kwargs)
        call = Call(arguments, self._floats)
        if recorders.active or runs_eagerly():
            return self._run(arguments, call)[1]
        objects = self._objects(call)
        key = self._cache.get(call.key)
        version = None if key is None else key.version(objects)
        if key is not None and version is not None and len(version.ways):
            self._cache.move_to_end(call.key)
            with turns.replaying() as mine:
                if not mine:
                    return self._run(arguments, call)[1]
                found = version.ways.replay(call.arrays)
            if found is not None:
                way, arrays = found
                self._entry = self._entry_for(args, kwargs, arguments, call, version, way)
                return way.results.packed(arrays, call.given)
        with turns.recording() as mine:
            if not mine:
                return self._run(arguments, call)[1]
            return self._record(arguments, call, objects, version)

    def _entry_for(
        self,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        arguments: dict[str, Any],
        call: Call,
        version: Version,
        way: Way,
    ) -> Callable[..., Any] | None:
        """Straight-line code for calls like this one."""
        form = len(args), tuple(kwargs), tuple([type(value) for value in call.values])
        if form not in version.entries:
            if len(version.entries) >= ENTRIES:
                version.entries.clear()
            kinds = {name: parameter.kind for name, parameter in self._signature.whole.parameters.items()}
            version.entries[form] = entry_of(
                args, kwargs, arguments, kinds, call, version.captures, version.ways, way, self._instance
            )
        found: Callable[..., Any] | None = version.entries[form]
        return found

    def _objects(self, call: Call) -> list[Any]:
        return call.objects if self._instance is None else [self._instance(), *call.objects]

    def _run(self, arguments: dict[str, Any], call: Call, ask: Any = None) -> tuple[list[Tensor], Any]:
        """Runs the Python function on tensors of its own; gives them, and what it returned."""
        tensors, leaves = stand_ins(call, ask or _nobody)
        if ask is None:
            leaves = list(call.values) if recorders.active else leaves
        rest = iter(leaves)
        passed = {name: rebuilt(value, rest) for name, value in arguments.items()}
        args, kwargs = self._signature.unbind(passed)
        return tensors, as_results(self._callable()(*args, **kwargs), self.__name__)

    def _callable(self) -> Callable[..., Any]:
        if self._instance is None:
            return self._python
        return functools.partial(self._python, self._instance())

    def _record(self, arguments: dict[str, Any], call: Call, objects: list[Any], version: Version | None) -> Any:
        asked: list[str] = []
        tensors, leaves = stand_ins(call, asked.append)
        rest = iter(leaves)
        passed = {name: rebuilt(value, rest) for name, value in arguments.items()}
        args, kwargs = self._signature.unbind(passed)
        recording = Recording(tensors)
        try:
            with recording:
                value = as_results(self._callable()(*args, **kwargs), self.__name__)
                results = Results(value, tensors)
                graph = recording.graph(results.tensors)
        except BaseException:
            recording.saved.restore()
            raise
        created, saved = [weakref.ref(variable) for variable in recording.created], recording.saved
        if created:
            del recording, graph
            self._check_created(created, saved, call, objects)
        self._recordings += 1
        for label in asked:
            self._floats.make_static(label)
        if asked:
            call = Call(arguments, self._floats)
        key = self._key(call)
        found = results.done()
        captures = Captures(self._callable(), arguments, objects)
        if created:
            key.made_variables = captures  # the next call is recorded, without what made them
            return results.first(found, call.given)
        if version is None or not version.captures.hold(objects) or version not in key.versions:
            version = Version(captures)
            key.versions.insert(0, version)
            del key.versions[VERSIONS:]
        version.ways.add(Way(graph, results))
        return results.first(found, call.given)

    def _key(self, call: Call) -> Key:
        key = self._cache.get(call.key)
        if key is None:
            key = self._cache[call.key] = Key()
            while len(self._cache) > KEYS:
                self._cache.popitem(last=False)
        self._cache.move_to_end(call.key)
        return key

    def _check_created(self, created: list[Any], saved: Saved, call: Call, objects: list[Any]) -> None:
        """Refuses functions that make variables at every call."""
        key = self._cache.get(call.key)
        before = None if key is None else key.made_variables
        again = before is not None and before.hold(objects)
        lost = any(variable() is None for variable in created)
        if again or lost:
            saved.restore()
            raise ValueError(
                f"{self.__name__}(): tf.function only supports singleton tf.Variables created on the first call. This call made "
                f"{len(created)} variables{' though one before it had made some already' if again else ', and nobody keeps them'}. "
                "Make them outside, or once and for all: `if self.v is None: self.v = tf.Variable(...)`."
            )

    # ---- methods -------------------------------------------------------------------------------------------

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        if instance is None:
            return self
        found = self._bound.get(id(instance))
        if found is not None and found[0]() is instance:
            return found[1]
        number, bound_to = id(instance), weakref.ref(self)

        def gone(_: Any) -> None:
            function = bound_to()
            if function is not None:
                function._bound.pop(number, None)

        bound = Function(self._python, self._input_signature, self._verify, instance)
        self._bound[number] = weakref.ref(instance, gone), bound
        return bound

    # ---- looking inside ------------------------------------------------------------------------------------

    @property
    def python_function(self) -> Callable[..., Any]:
        """The Python function."""
        if self._instance is None:
            return self._python
        return MethodType(self._python, self._instance())

    def experimental_get_tracing_count(self) -> int:
        """How often the function was recorded."""
        return self._recordings

    def cache_info(self) -> CacheInfo:
        """What was recorded, in numbers."""
        programs = sum(len(version.ways) for key in self._cache.values() for version in key.versions)
        return CacheInfo(self._recordings, len(self._cache), programs, KEYS)

    def __repr__(self) -> str:
        return f"<tf.function {self.__name__}>"


def _nobody(label: str) -> None:
    """Nobody is told that a float's value was asked for."""


_eagerly = [False]


def run_functions_eagerly(run_eagerly: bool) -> None:
    """Whether functions under ``tf.function`` run as plain Python, for debugging.

    Args:
        run_eagerly: True for all of them from now on; False to replay again. TensorFlow: tf.config.run_functions_eagerly.
    """
    wanted = bool(run_eagerly)
    if wanted is not _eagerly[0]:
        _eagerly[0] = wanted
        turns.gate[0] += 1 if wanted else -1


def functions_run_eagerly() -> bool:
    """Whether ``run_functions_eagerly`` is on. TensorFlow: tf.config.functions_run_eagerly."""
    return _eagerly[0]


runs_eagerly = functions_run_eagerly


def function(
    func: Any = None,
    input_signature: Any = None,
    autograph: bool = True,
    jit_compile: bool | None = None,
    reduce_retracing: bool = False,
    experimental_implements: Any = None,
    experimental_autograph_options: Any = None,
    experimental_attributes: Any = None,
    experimental_relax_shapes: Any = None,
    experimental_compile: Any = None,
    experimental_follow_type_hints: Any = None,
    verify: int = 0,
) -> Any:
    """Makes a function that is recorded once and replayed as one native program; also a decorator.

    Args:
        func: a Python function of tensors, arrays and Python values; without it, the decorator is returned.
        input_signature: for each argument a (nested) ``tf.TensorSpec``: arguments are converted, and others refused.
        verify: how many of the first replays are also run eagerly and compared.
        autograph, jit_compile, reduce_retracing, experimental_implements, experimental_autograph_options,
        experimental_attributes, experimental_relax_shapes, experimental_compile, experimental_follow_type_hints: kept for
        TensorFlow's signature. Python's own control flow works on tensors; each shape has a program of its own.

    Returns:
        A ``Function``, or a decorator.

    Raises:
        TypeError: ``func`` can't be called. TensorFlow: tf.function.
    """
    if func is None:
        return functools.partial(function, input_signature=input_signature, verify=verify)
    if isinstance(func, Function):
        return func
    if not callable(func):
        raise TypeError(f"tf.function: got {func!r}, which can't be called.")
    return Function(func, input_signature, verify)
