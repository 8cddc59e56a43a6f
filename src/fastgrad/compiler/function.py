"""``tf.function``: a Python function that is recorded at its first call, and replayed from then on.

One file, because it is one class and its decorator.
"""

from __future__ import annotations

import copy
import functools
import weakref
from collections.abc import Callable
from types import MethodType
from typing import Any, ClassVar, NamedTuple

from fastgrad.compiler.dispatch import locking
from fastgrad.compiler.dispatch.agreement import compare_with_other_ranks
from fastgrad.compiler.dispatch.cache import MOST_KEYS_PER_FUNCTION, Cache, Version
from fastgrad.compiler.dispatch.captures import CALL_CHANGED, Captures
from fastgrad.compiler.dispatch.concrete import ConcreteFunction
from fastgrad.compiler.dispatch.eager_execution import functions_run_eagerly, ops_are_deterministic
from fastgrad.compiler.dispatch.element_loops import is_dataset, with_element_loops
from fastgrad.compiler.dispatch.fast_path import make_entry
from fastgrad.compiler.dispatch.loop_conversion import with_program_loops
from fastgrad.compiler.dispatch.report import graph_text, kernel_texts, report_text, source_text
from fastgrad.compiler.dispatch.results import Results, as_results
from fastgrad.compiler.dispatch.retracing import Retracing, warn_of_failure
from fastgrad.compiler.dispatch.signature import (
    Call,
    FloatArguments,
    Signature,
    eager_leaf,
    rebuild_value,
    traced_arguments,
)
from fastgrad.compiler.dispatch.traces import NotCompiled, Trace
from fastgrad.compiler.dispatch.verify import checked_replay
from fastgrad.compiler.graph.interpret import GuardError
from fastgrad.compiler.recording.record import Recording
from fastgrad.compiler.recording.state import SavedVariables
from fastgrad.core import nest
from fastgrad.core.deferral import call_without_deferral, defers
from fastgrad.core.dispatch import dispatchers
from fastgrad.core.recording import EndOfElements, control_flow_handler, recorders
from fastgrad.core.tensor import Tensor
from fastgrad.errors import OutOfRangeError, TraceError
from fastgrad.kernels.codegen.build import inspect_asm, inspect_llvm

_NOT_CONVERTED_YET, _RETRY_CALL = object(), object()

MOST_RECENT_ENTRIES_TRIED = 4
"""The number of recent entries that a call tries before it takes the slow path."""

MOST_ENTRIES_PER_VERSION = 4
"""The most forms of a call (by position or name, tensors or arrays) with an entry of their own."""


class CacheInfo(NamedTuple):
    """Counts of a function's recordings.

    Attributes:
        recordings: how often its Python ran to be recorded.
        keys: the number of different arguments that are kept.
        programs: the number of recordings that are kept, over all keys.
        maxsize: the most keys that are kept.
    """

    recordings: int
    keys: int
    programs: int
    maxsize: int


class Function:
    """A Python function with its recordings; made by ``tf.function``.

    The first call with certain arguments runs eagerly and is recorded. The second call compiles the recording. From then
    on a call replays the program, and does not run the Python function.
    """

    records_graphs = True
    gave_up = False  # whether a call could not be recorded, and Python's result was returned: see runs_unrecorded
    replays_at_once = False  # whether the program also computes the first call's result: see enable_op_determinism

    _all: ClassVar[weakref.WeakSet[Function]] = weakref.WeakSet()

    def __init__(
        self,
        python_function: Callable[..., Any],
        input_signature: Any = None,
        verify: int = 0,
        instance: Any = None,
        runs_unrecorded: bool = False,
    ) -> None:
        functools.update_wrapper(self, python_function, updated=())
        self.__name__ = getattr(python_function, "__name__", None) or type(python_function).__name__
        self._python = python_function
        self._input_signature = input_signature
        self._verify = self._verifications_left = verify
        self._runs_unrecorded = runs_unrecorded  # no error if a call can't be recorded: its one run counts
        self._instance = None if instance is None else weakref.ref(instance)
        self._signature = Signature(python_function, input_signature, 0 if instance is None else 1)
        self._floats = FloatArguments()
        self._cache = Cache(functools.partial(_drop_references, weakref.ref(self)))
        self._bound: dict[int, tuple[Any, Function]] = {}
        self._entry: Callable[[tuple[Any, ...], dict[str, Any]], Any] = no_entry
        self._recent: tuple[Any, ...] = ()
        self._recordings = 0
        self._retracing = Retracing(self.__name__)
        self._last: Version | None = None  # the last one used
        self._pieces: Any = _NOT_CONVERTED_YET
        self._looped: Any = _NOT_CONVERTED_YET
        Function._all.add(self)

    # ---- calling -------------------------------------------------------------------------------------------

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Calls the function: replays a recording if there is one, else runs and records it."""
        result = self._entry(args, kwargs)
        if result is not CALL_CHANGED:
            return result
        for entry in self._recent:
            result = entry(args, kwargs)
            if result is not CALL_CHANGED:
                self._entry = entry
                return result
        return self._call(args, kwargs)

    def _call(self, args: tuple[Any, ...], kwargs: dict[str, Any], is_first: bool = True) -> Any:
        """The slow path of a call: splits it into key and arrays, looks up its recordings, and replays or records."""
        if dispatchers and defers():
            tensors = nest.flatten((args, kwargs), expand_composites=True)
            return call_without_deferral(self._call, tensors, args, kwargs, is_first)
        arguments = self._signature.bind(args, kwargs)
        call = Call(arguments, self._floats)
        active = recorders.active
        if functions_run_eagerly() or any(recorder.records_state for recorder in active):
            return self._run(arguments, call)
        objects = self._objects_known_by_identity(call)
        recordings = self._recordings
        key = self._cache.get(call)
        if key is None and any(map(is_dataset, call.values)) and self._function_with_element_loops() is not None:
            key = self._cache.add(call)
            key.runs_eagerly = True
        if key is not None and key.runs_eagerly:
            return self._run(arguments, call, self._function_with_element_loops())
        version = None if key is None else key.find_version(objects)
        if version is not None and len(version.ways):
            if active and version.ways.need_python_gradients():
                return self._run(arguments, call)
            try:
                if not active:
                    version.ways.compile_first_traces()
                result = locking.run_as_replay(lambda: self._replay(args, kwargs, arguments, call, version))
                if result is locking.LOCK_NOT_FREE:
                    return self._run(arguments, call)
            except NotCompiled as failure:
                key.runs_eagerly = True  # type: ignore[union-attr]  # there is one, as there is a version
                warn_of_failure(self.__name__, failure)
                return self._run(arguments, call)
            if result is not None:
                return result[0]
        put_back = is_first and not active and (self.replays_at_once or ops_are_deterministic())

        def record() -> Any:
            if self._recordings != recordings:  # another thread has recorded meanwhile, perhaps the same call
                return _RETRY_CALL
            self._retracing.note(call, key, version is not None)
            return self._record_with_capacity(arguments, call, objects, version, put_back)

        result = locking.run_as_recording(record)
        if result is locking.LOCK_NOT_FREE:
            return self._run(arguments, call)
        if result is _RETRY_CALL:
            return self._call(args, kwargs, is_first)
        return self._call(args, kwargs, is_first=False) if result is CALL_CHANGED else result

    def _replay(
        self, args: tuple[Any, ...], kwargs: dict[str, Any], arguments: dict[str, Any], call: Call, version: Version
    ) -> tuple[Any] | None:
        """Returns the result by a replay, as a tuple of one; None if the trace is not recorded."""
        self._last = version
        if recorders.active:
            traced = version.ways.call(call.tensors())
            return None if traced is None else (traced[0].results.build_from_recording(traced[1], call.given),)
        if self._verifications_left:

            def replayed() -> Any:
                outcome = version.ways.replay(call.arrays)
                return None if outcome is None else outcome[0].results.build(outcome[1], call.given)

            outcome = checked_replay(self.__name__, version.ways, lambda: self._run(arguments, call), replayed)
            self._verifications_left -= outcome is not None
            return None if outcome is None else (outcome,)
        outcome = version.ways.replay(call.arrays)
        if outcome is None:
            return None
        entry = self._entry_for(args, kwargs, arguments, call, version, outcome[0])
        if entry is not None:
            self._entry = entry
            others = [other for other in self._recent if other.layout != entry.layout]
            self._recent = (entry, *others[: MOST_RECENT_ENTRIES_TRIED - 1])
        return (outcome[0].results.build(outcome[1], call.given),)

    def _entry_for(
        self,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        arguments: dict[str, Any],
        call: Call,
        version: Version,
        trace: Trace,
    ) -> Any:
        """Returns the fast-path entry for calls of this form, made if needed; None if there is none."""
        form = len(args), tuple(kwargs), tuple([type(value) for value in call.values])
        tree = version.ways.trees[0]
        entry_tree, entry = version.entries.get(form, (None, None))
        if entry_tree is not tree:
            if trace not in tree.ways:
                return None
            if len(version.entries) >= MOST_ENTRIES_PER_VERSION:
                version.entries.clear()
            parameter_kinds = {name: parameter.kind for name, parameter in self._signature.whole.parameters.items()}
            entry = make_entry(args, kwargs, arguments, parameter_kinds, call, version.captures, tree, self._instance)
            if entry is not None:
                entry.layout = id(version), form
            version.entries[form] = tree, entry
        return entry

    def _objects_known_by_identity(self, call: Call) -> list[Any]:
        return call.objects if self._instance is None else [self._instance(), *call.objects]

    def _function_with_element_loops(self) -> Any:
        """Returns the Python function with recorded bodies of its loops over datasets; None if it has none."""
        if self._pieces is _NOT_CONVERTED_YET:
            self._pieces = with_element_loops(self._python, functools.partial(Function, runs_unrecorded=True))
        return self._pieces

    def _function_with_program_loops(self) -> Any:
        """Returns the Python function with loops that the program may run."""
        if self._looped is _NOT_CONVERTED_YET:
            self._looped = with_program_loops(self._python)
        return self._looped

    def _run(self, arguments: dict[str, Any], call: Call, python: Any = None) -> Any:
        """Runs the Python function, or ``python`` if given, inside the active recordings."""
        leaves = iter([eager_leaf(value) for value in call.values])
        passed = {name: rebuild_value(value, leaves) for name, value in arguments.items()}
        args, kwargs = self._signature.unbind(passed)
        return as_results(self._call_python(self._python_callable(python), args, kwargs), self.__name__)

    def _call_python(self, python: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Calls the Python function and returns its value.

        Raises:
            OutOfRangeError: it takes an element of a dataset's iterator that has none left.
        """
        try:
            return python(*args, **kwargs)
        except EndOfElements:
            raise OutOfRangeError(
                f"{self.__name__}(): End of sequence: next() of a dataset's iterator that has no element left."
            ) from None

    def _python_callable(self, python: Any = None) -> Callable[..., Any]:
        if python is None:
            python = self._python if control_flow_handler() is None else self._function_with_program_loops()
        if self._instance is None:
            return python
        return functools.partial(python, self._instance())

    def _record_with_capacity(self, *given: Any) -> Any:
        """Calls ``_record``; repeats it while a loop that only a gradient runs has too small a capacity."""
        last_error: GuardError | None = None
        while True:
            try:
                return self._record(*given)
            except GuardError as error:
                if last_error is not None and error.found <= last_error.found:
                    raise
                last_error = error  # its traceback keeps the loop alive, which now knows the capacity that it needs

    def _record(  # noqa: PLR0915  # the steps of one recording, in order
        self,
        arguments: dict[str, Any],
        call: Call,
        objects: list[Any],
        version: Version | None,
        restore_state: bool = False,
    ) -> Any:
        """Runs the Python function and records it.

        With ``restore_state`` the state is restored, and ``CALL_CHANGED`` returned, if the recording may be replayed.
        """
        read_floats: dict[str, int] = {}
        tensors, leaves = traced_arguments(call, read_floats.__setitem__)
        leaf_iterator = iter(leaves)
        passed = {name: rebuild_value(value, leaf_iterator) for name, value in arguments.items()}
        args, kwargs = self._signature.unbind(passed)
        captures_before = Captures(self._python_callable(), arguments, objects)
        recording = Recording(tensors)
        recording.may_give_up, recording.refuses = True, not self._runs_unrecorded
        ran = False
        try:
            with recording:
                value = self._call_python(self._python_callable(), args, kwargs)
                ran = True
                value = as_results(value, self.__name__)
                # A float whose Python value was read is part of the key from now on, not an array of later calls.
                by_value = {number: tensors[number]._array for number in read_floats.values()}
                inputs = [tensor for number, tensor in enumerate(tensors) if number not in by_value]
                results = Results(value, inputs, recording)
                result_tensors = results.tensors
                if recording.gave_up:
                    self.gave_up = True
                    self._cache.add(call).runs_eagerly = True
                    return results.build_from_recording(
                        result_tensors, [x for number, x in enumerate(call.given) if number not in by_value]
                    )
                trace = Trace(recording, results, len(inputs), by_value)
            settled = self._numbers_changed_by_function(captures_before, recording)
        except BaseException as error:
            if ran and self._runs_unrecorded and isinstance(error, (TraceError, TypeError)):
                self.gave_up = True
                return value
            if not recording.gave_up:
                recording.saved.restore()
            raise
        compare_with_other_ranks(self.__name__, trace.graph)
        self._retracing.note_numbers(recording.numbers)
        created, saved = [weakref.ref(variable) for variable in recording.created], recording.saved
        del recording
        if created:
            del trace
            for tensor in result_tensors:
                if tensor._owner is not None:  # a variable's value must not keep the variable alive
                    tensor._array, tensor._owner = tensor._array.copy(), None
            self._check_created(created, saved, call, objects)
        self._recordings += 1
        for label in read_floats:
            self._floats.make_static(label)
        if read_floats:
            call = Call(arguments, self._floats)
        key = self._cache.add(call)
        captures = Captures(self._python_callable(), arguments, objects, settled)
        if created:
            key.made_variables = captures  # the next call is recorded again, and makes none
            return results.build_from_recording(result_tensors, call.given)
        if version is None or version not in key.versions or not version.captures.are_unchanged(objects):
            version = key.add(captures)
        version.ways.add(trace)
        self._last = version
        if restore_state:
            saved.restore()
            return CALL_CHANGED
        return results.build_from_recording(result_tensors, call.given)

    def _numbers_changed_by_function(self, before: Captures, recording: Recording) -> frozenset[str]:
        """Returns the labels of captured names that the function itself has changed while it was recorded.

        Raises:
            TraceError: it keeps a tensor that it computed under a name that it reads: a replay would not.
        """
        changes = before.changed_values()
        for label, value in [] if recording.created else changes.items():
            leaves = nest.flatten(value) if nest.is_nested(value) else [value]
            if any(isinstance(item, Tensor) and recording.may_vary(item) for item in leaves):
                raise TraceError(
                    f"{self.__name__}(): the function gives {label!r} a tensor that it has computed, and reads {label!r}. A replay runs "
                    "no Python, so the name would not be given another one. Keep state in a tf.Variable: v.assign(...)."
                )
        return frozenset(changes)

    def _check_created(self, created: list[Any], saved: SavedVariables, call: Call, objects: list[Any]) -> None:
        """Refuses functions that make variables at every call."""
        key = self._cache.get(call)
        captures = None if key is None else key.made_variables
        is_repeated = captures is not None and captures.are_unchanged(objects)
        lost = any(variable() is None for variable in created)
        if is_repeated or lost:
            saved.restore()
            raise ValueError(
                f"{self.__name__}(): tf.function only supports singleton tf.Variables created on the first call. This call made "
                f"{len(created)} variables{' though one before it had made some already' if is_repeated else ', and nobody keeps them'}. "
                "Make them outside, or once and for all: `if self.v is None: self.v = tf.Variable(...)`."
            )

    # ---- methods -------------------------------------------------------------------------------------------

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        if instance is None:
            return self
        bound_pair = self._bound.get(id(instance))
        if bound_pair is not None and bound_pair[0]() is instance:
            return bound_pair[1]
        number, bound_to = id(instance), weakref.ref(self)

        def gone(_: Any) -> None:
            function = bound_to()
            if function is not None:
                function._bound.pop(number, None)

        bound = Function(self._python, self._input_signature, self._verify, instance)
        self._bound[number] = weakref.ref(instance, gone), bound
        return bound

    # ---- inspection ----------------------------------------------------------------------------------------

    @property
    def python_function(self) -> Callable[..., Any]:
        """The Python function."""
        if self._instance is None:
            return self._python
        return MethodType(self._python, self._instance())

    def experimental_get_tracing_count(self) -> int:
        """Returns how often the function was recorded."""
        return self._recordings

    def get_concrete_function(self, *args: Any, **kwargs: Any) -> ConcreteFunction:
        """Returns a function for certain Python arguments, to be called with tensors; records nothing yet.

        Args:
            *args, **kwargs: as for a call; a ``TensorSpec`` may stand for a tensor. None with an ``input_signature``.
        """
        arguments = self._signature.bind_specs(args, kwargs)

        def called(chosen: dict[str, Any]) -> Any:
            args, kwargs = self._signature.unbind(chosen)
            return self(*args, **kwargs)

        parameter_kinds = {name: parameter.kind for name, parameter in self._signature.whole.parameters.items()}
        return ConcreteFunction(called, self.__name__, arguments, parameter_kinds)

    def graph(self) -> str:
        """Returns the recordings of the last call's key as text: a graph for each trace."""
        return graph_text(self._last)

    def source(self) -> str:
        """Returns the code generated for the last call: its program's steps, the kernels, the Python that calls it."""
        return source_text(self._last)

    def inspect_llvm(self, kernel: str | None = None) -> Any:
        """Returns the LLVM IR of the last call's kernels, after LLVM's optimizations; compiles them again, for the CPU.

        Args:
            kernel: the name of a kernel, such as ``"matmul[float32]"``; None for all.

        Returns:
            The text of the kernel, or a dict with all names and texts.

        Raises:
            KeyError: there is no such kernel.
        """
        return kernel_texts(self.__name__, self._last, inspect_llvm, kernel)

    def inspect_asm(self, kernel: str | None = None) -> Any:
        """Returns the assembly of the last call's kernels; compiles them again, for the CPU.

        Args:
            kernel: the name of a kernel, such as ``"matmul[float32]"``; None for all.

        Returns:
            The text of the kernel, or a dict with all names and texts.

        Raises:
            KeyError: there is no such kernel.
        """
        return kernel_texts(self.__name__, self._last, inspect_asm, kernel)

    def report(self) -> str:
        """Returns a summary of the last call's program: operations, kernels, memory, operations that run in Python."""
        note = ""
        if self._signature.has_open_sizes:
            note = "\ninput_signature leaves sizes open: each size that comes has a program of its own."
        return report_text(self.__name__, self._last) + note

    def cache_info(self) -> CacheInfo:
        """Returns the number of recordings made, of keys and of traces in the cache, and the most keys."""
        programs = sum(len(version.ways) for key in self._cache for version in key.versions)
        return CacheInfo(self._recordings, len(self._cache), programs, MOST_KEYS_PER_FUNCTION)

    def __copy__(self) -> Function:
        return self._unrecorded_copy(self._python)

    def __deepcopy__(self, memo: dict[int, Any]) -> Function:
        return self._unrecorded_copy(copy.deepcopy(self._python, memo))

    def _unrecorded_copy(self, python_function: Callable[..., Any]) -> Function:
        """Returns another function of the same kind, without recordings."""
        instance = None if self._instance is None else self._instance()
        return Function(python_function, self._input_signature, self._verify, instance)

    def __repr__(self) -> str:
        return f"<tf.function {self.__name__}>"


def no_entry(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Returns ``CALL_CHANGED``; the entry of a function without entries."""
    return CALL_CHANGED


def forget_entries() -> None:
    """Drops all entries, so that each function takes the slow path once; entries must check more from now on."""
    for function in list(Function._all):
        _drop_references(weakref.ref(function))
        for version in [version for key in function._cache for version in key.versions]:
            version.entries.clear()


def _drop_references(function: Any) -> None:
    """Drops a function's references to entries and versions that its cache has dropped."""
    owner = function()
    if owner is not None:
        owner._entry, owner._recent, owner._last = no_entry, (), None


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
        TensorFlow's signature. ``for i in tf.range(n)`` and ``while`` with a condition on tensors, in the function itself,
        become loops of the program, for any number of iterations, if their variables keep shape and dtype and the body has no
        other effect in Python. Else Python's control flow uses the values of tensors: each trace is recorded. Each
        shape has a program of its own.

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
