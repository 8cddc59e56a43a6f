"""``tf.function``: a Python function that is recorded at its first call, and replayed from then on.

One file, because it is one class and its decorator.
"""

from __future__ import annotations

import copy
import functools
import inspect
import weakref
from collections.abc import Callable
from types import MethodType
from typing import Any, ClassVar, NamedTuple

from fastgrad._src.compiler.dispatch import locking
from fastgrad._src.compiler.dispatch.background_compilation import StillCompiling, get_background_compilation
from fastgrad._src.compiler.dispatch.cache import MOST_KEYS_PER_FUNCTION
from fastgrad._src.compiler.dispatch.captures import CALL_CHANGED
from fastgrad._src.compiler.dispatch.concrete import ConcreteFunction
from fastgrad._src.compiler.dispatch.eager_execution import functions_run_eagerly, ops_are_deterministic
from fastgrad._src.compiler.dispatch.element_loops import is_dataset
from fastgrad._src.compiler.dispatch.fast_path import make_entry
from fastgrad._src.compiler.dispatch.python_function import PythonFunction
from fastgrad._src.compiler.dispatch.recorder import Recorder
from fastgrad._src.compiler.dispatch.report import graph_text, kernel_texts, report_text, source_text
from fastgrad._src.compiler.dispatch.retracing import warn_of_failure
from fastgrad._src.compiler.dispatch.signature import Call, UnhashableArgument, arguments_of_key
from fastgrad._src.compiler.dispatch.state import State
from fastgrad._src.compiler.dispatch.traces import NotCompiled, Trace, TraceTree
from fastgrad._src.compiler.dispatch.verify import replay_and_verify
from fastgrad._src.core import nest
from fastgrad._src.core.deferral import call_without_deferral, is_deferring
from fastgrad._src.core.dispatch import dispatchers
from fastgrad._src.core.recording import recorders
from fastgrad._src.jit.build import inspect_asm, inspect_llvm

MOST_ENTRIES_PER_TREE = 4
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


class _Attempt:
    """One pass of a call through ``_STAGES``.

    Args:
        function: the function that is called.
        call: the call.
        is_first: whether no pass has recorded the call.

    Attributes:
        call, is_first: as above.
        objects: what the call captures.
        recordings: how many recordings the function had when the pass began.
        key, tree: of the call in the cache, or None.
    """

    __slots__ = ("call", "is_first", "key", "objects", "recordings", "tree")

    def __init__(self, function: Function, call: Call, is_first: bool) -> None:
        self.call = call
        self.is_first = is_first
        self.objects = function._python.objects_of(call)
        self.recordings = function._state.recordings
        self.key: Any = function._state.cache.get(call)
        self.tree: TraceTree | None = None


class Function:
    """A Python function with its recordings; made by ``tf.function``.

    The first call with certain arguments runs eagerly and is recorded. The second call compiles the recording. From then
    on a call replays the program, and does not run the Python function.
    """

    __signature__: inspect.Signature  # of a method: without ``self``
    records_graphs = True
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
        recorded = functools.partial(Function, runs_unrecorded=True)
        self._python = PythonFunction(python_function, input_signature, instance, recorded, runs_unrecorded)
        self.__name__ = self._python.name
        self._verify = verify
        self._state = State(self.__name__, verify)
        self._recorder = Recorder(self._python, self._state, runs_unrecorded)
        self._methods: dict[
            int, tuple[Any, Function]
        ] = {}  # by the id of an object: its weak reference, and its method
        self._concrete_arguments: list[dict[str, Any]] = []  # of get_concrete_function: SavedModels have these, too
        for name, value in getattr(python_function, "__dict__", {}).items():
            vars(self).setdefault(
                name, value
            )  # as TensorFlow: the attributes of a function, or of an object that is called
        Function._all.add(self)

    # ---- calling -------------------------------------------------------------------------------------------

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Calls the function: replays the recording for these arguments if there is one; otherwise runs and records the function."""
        state = self._state
        result = state.entry(args, kwargs)
        if result is not CALL_CHANGED:
            return result
        for entry in state.recent:
            result = entry(args, kwargs)
            if result is not CALL_CHANGED:
                state.entry = entry
                return result
        return self._call(args, kwargs)

    def _call(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """The slow path of a call: splits it into key and arrays, and tries ``_STAGES`` until one has a result."""
        if dispatchers and is_deferring():
            return call_without_deferral(self._call, nest.flatten((args, kwargs), expand_composites=True), args, kwargs)
        is_first = True
        while True:
            call = self._bound_call(args, kwargs)
            if functions_run_eagerly() or any(recorder.records_state for recorder in recorders.active):
                return self._python.run(call)
            attempt = _Attempt(self, call, is_first)
            for stage in _STAGES:
                result = stage(self, attempt)
                if result is locking.LOCK_NOT_FREE:
                    return self._python.run(call)
                if result is not CALL_CHANGED:
                    return result
            is_first = attempt.is_first

    def _bound_call(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Call:
        try:
            return Call(self._python.signature.bind(args, kwargs), self._state.floats, args, kwargs)
        except UnhashableArgument as refusal:
            if self._recorder.runs_unrecorded:
                raise
            raise TypeError(str(refusal)) from None

    def _run_in_python(self, attempt: _Attempt) -> Any:
        """The first stage: runs Python for a key that can't be recorded, and for datasets whose loops are recorded."""
        python, state, call = self._python, self._state, attempt.call
        if attempt.key is None and any(map(is_dataset, call.values)) and python.with_element_loops is not None:
            attempt.key = state.cache.add(call)
            attempt.key.runs_eagerly = True
        runs_eagerly = attempt.key is not None and attempt.key.runs_eagerly
        return python.run(call, python.with_element_loops) if runs_eagerly else CALL_CHANGED

    def _replay_recording(self, attempt: _Attempt) -> Any:
        """The second stage: replays a recording, or runs Python while it can't be replayed."""
        call, key, active = attempt.call, attempt.key, recorders.active
        tree = attempt.tree = None if key is None else key.find_tree(attempt.objects)
        if tree is None or not tree.traces:
            return CALL_CHANGED
        if active and tree.needs_python_gradients():
            return self._python.run(call)
        beside = get_background_compilation() and not (
            active or self._state.verifications_left or self._computes_first_call_by_program
        )
        try:
            if not active and not beside:
                tree.compile_first_traces()
            return locking.run_under_replay_lock(lambda: self._replay(call, tree, beside))
        except StillCompiling:
            return self._python.run(call)
        except NotCompiled as failure:
            attempt.key.runs_eagerly = True
            warn_of_failure(self.__name__, failure)
            return self._python.run(call)

    def _record(self, attempt: _Attempt) -> Any:
        """The last stage: runs Python and records it, unless another thread has recorded meanwhile."""
        return locking.run_under_recording_lock(lambda: self._record_under_lock(attempt))

    def _record_under_lock(self, attempt: _Attempt) -> Any:
        call, tree, state = attempt.call, attempt.tree, self._state
        if state.recordings != attempt.recordings:  # perhaps the other thread recorded the same call
            return CALL_CHANGED
        is_first, attempt.is_first = attempt.is_first, False
        state.retracing.count_recording(call, attempt.key, tree is not None)
        restores_state = is_first and not recorders.active and self._computes_first_call_by_program
        return self._recorder.record(call, attempt.objects, tree, restores_state)

    @property
    def _computes_first_call_by_program(self) -> bool:
        return self.replays_at_once or ops_are_deterministic()

    def _replay(self, call: Call, tree: TraceTree, compiles_beside: bool) -> Any:
        """Returns the result by a replay; ``CALL_CHANGED`` if the trace is not recorded."""
        state = self._state
        state.last = tree
        if recorders.active:
            traced = tree.call(call.tensors())
            return (
                CALL_CHANGED
                if traced is None
                else traced[0].results.build_from_recording(traced[1], call.passed_leaves)
            )
        if state.verifications_left:

            def replayed() -> Any:
                outcome = tree.replay(call.arrays)
                return CALL_CHANGED if outcome is None else outcome[0].results.build(outcome[1], call.passed_leaves)

            result = replay_and_verify(self.__name__, tree.traces, lambda: self._python.run(call), replayed)
            state.verifications_left -= result is not CALL_CHANGED
            return result
        outcome = tree.replay(call.arrays, compiles_beside)
        if outcome is None:
            return CALL_CHANGED
        entry = self._entry_for(call, tree, outcome[0])
        if entry is not None:
            state.move_entry_to_front(entry)
        return outcome[0].results.build(outcome[1], call.passed_leaves)

    def _entry_for(self, call: Call, tree: TraceTree, trace: Trace) -> Any:
        """Returns the fast-path entry for calls of this form, made if needed; None if there is none."""
        form = len(call.args), tuple(call.kwargs), tuple([type(value) for value in call.values])
        compiled = tree.compiled[0]
        entry_program, entry = tree.entries.get(form, (None, None))
        if entry_program is not compiled:
            if trace not in compiled.traces:
                return None
            if len(tree.entries) >= MOST_ENTRIES_PER_TREE:
                tree.entries.clear()
            python = self._python
            entry = make_entry(call, python.signature.kinds, tree.captures, compiled, python.weak_instance)
            if entry is not None:
                entry.layout = id(tree), form
            tree.entries[form] = compiled, entry
        return entry

    # ---- methods -------------------------------------------------------------------------------------------

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        if instance is None:
            return self
        method = self._methods.get(id(instance))
        if method is not None and method[0]() is instance:
            return method[1]
        number, bound_to = id(instance), weakref.ref(self)

        def gone(_: Any) -> None:
            function = bound_to()
            if function is not None:
                function._methods.pop(number, None)

        bound = Function(self._python.function, self._python.input_signature, self._verify, instance)
        bound.__signature__ = bound.signature_of_calls
        self._methods[number] = weakref.ref(instance, gone), bound
        return bound

    # ---- inspection ----------------------------------------------------------------------------------------

    @property
    def python_function(self) -> Callable[..., Any]:
        """The Python function."""
        python = self._python
        return python.function if python.weak_instance is None else MethodType(python.function, python.instance)

    @property
    def trace_tree(self) -> TraceTree | None:
        """The traces and programs of the last call's key and captured values; None before the first recording."""
        return self._state.last

    @property
    def gave_up(self) -> bool:
        """True if a call could not be recorded, so that its result comes from the run in Python."""
        return self._state.gave_up

    def _decorate(self, decorator: Callable[[Callable[..., Any]], Callable[..., Any]]) -> None:
        """Replaces the Python function by ``decorator(function)``, as TensorFlow's functions do; dm-sonnet calls it.

        Raises:
            ValueError: the function has been called.
        """
        if self.trace_tree is not None or self._methods:
            raise ValueError(f"{self.__name__}: Functions cannot be decorated after they have been traced.")
        python = self._python
        Function.__init__(
            self,
            decorator(python.function),
            python.input_signature,
            self._verify,
            runs_unrecorded=self._recorder.runs_unrecorded,
        )
        self.__name__ = self._python.name = python.name

    def experimental_get_tracing_count(self) -> int:
        """Returns how often the function was recorded."""
        return self._state.recordings

    def get_concrete_function(self, *args: Any, **kwargs: Any) -> ConcreteFunction:
        """Returns a function for certain Python arguments, to be called with tensors; records nothing yet.

        Args:
            *args, **kwargs: as for a call; a ``TensorSpec`` may stand for a tensor. None with an ``input_signature``.
        """
        concrete = self._concrete(self._python.signature.bind_specs(args, kwargs))
        self._concrete_arguments = [*self._concrete_arguments, concrete.arguments][-MOST_KEYS_PER_FUNCTION:]
        return concrete

    def _concrete(self, arguments: dict[str, Any]) -> ConcreteFunction:
        return ConcreteFunction(self.call_with_arguments, self.__name__, arguments, self._python.signature.kinds)

    def pretty_printed_concrete_signatures(self, verbose: bool = True) -> str:
        """Returns the types of all concrete functions as text.

        They are those of the calls and of ``get_concrete_function``.

        Args:
            verbose: whether each parameter has its own line; also adds captured variables and empty lines.
        """
        texts = [concrete.pretty_printed_signature(verbose) for concrete in self._list_all_concrete_functions()]
        return ("\n\n" if verbose else "\n").join(dict.fromkeys(texts))

    def _list_all_concrete_functions(self) -> list[ConcreteFunction]:
        """Returns the concrete functions of the calls and of ``get_concrete_function``; Keras's export asks for them by this name."""
        if self._python.input_signature is None:
            known = self._known_arguments(with_names=False)
        else:
            known = self._concrete_arguments or [self.get_concrete_function().arguments]
        return [self._concrete(arguments) for arguments in known]

    def _known_arguments(self, with_names: bool) -> list[dict[str, Any]]:
        """Returns the arguments of the calls that are in the cache, and of ``get_concrete_function``, with specs in place of tensors."""
        called = [arguments_of_key(key, with_names) for key in self._state.cache.call_keys()]
        return [*[arguments for arguments in called if arguments is not None], *self._concrete_arguments]

    def _trackable_children(self, save_type: str) -> dict[str, ConcreteFunction]:
        """Returns the concrete functions by a number as text, as TensorFlow's functions do for Keras's export."""
        return {str(number): concrete for number, concrete in enumerate(self._list_all_concrete_functions())}

    @property
    def name(self) -> str:
        """The name of the Python function."""
        return self.__name__

    @property
    def input_signature(self) -> Any:
        """The specs of the arguments, as given to ``tf.function``; None without any."""
        return self._python.input_signature

    @property
    def signature_of_calls(self) -> Any:
        """The parameters of a call, without ``self``: an ``inspect.Signature``."""
        return self._python.signature.whole

    def stored_arguments(self) -> list[dict[str, Any]]:
        """Returns the arguments, with specs in place of tensors, for which a SavedModel stores the function.

        They are those of ``input_signature`` if there is one; else of the calls that are in the cache, and of
        ``get_concrete_function``.
        """
        if self._python.input_signature is not None:
            return [self._python.signature.bind_specs((), {})]
        return self._known_arguments(with_names=True)

    def call_with_arguments(self, arguments: dict[str, Any]) -> Any:
        """Calls the function with arguments by the names of the parameters."""
        args, kwargs = self._python.signature.unbind(arguments)
        return self(*args, **kwargs)

    def graph(self) -> str:
        """Returns the recordings of the last call's key as text: a graph for each trace."""
        return graph_text(self._state.last)

    def source(self) -> str:
        """Returns the code generated for the last call: its program's steps, the kernels, the Python that calls it."""
        return source_text(self._state.last)

    def inspect_llvm(self, kernel: str | None = None) -> Any:
        """Returns the LLVM IR of the last call's kernels, after LLVM's optimizations; compiles them again, for the CPU.

        Args:
            kernel: the name of a kernel, such as ``"matmul[float32]"``; None for all.

        Returns:
            The text of the kernel, or a dict with all names and texts.

        Raises:
            KeyError: there is no such kernel.
        """
        return kernel_texts(self.__name__, self._state.last, inspect_llvm, kernel)

    def inspect_asm(self, kernel: str | None = None) -> Any:
        """Returns the assembly of the last call's kernels; compiles them again, for the CPU.

        Args:
            kernel: the name of a kernel, such as ``"matmul[float32]"``; None for all.

        Returns:
            The text of the kernel, or a dict with all names and texts.

        Raises:
            KeyError: there is no such kernel.
        """
        return kernel_texts(self.__name__, self._state.last, inspect_asm, kernel)

    def report(self) -> str:
        """Returns a summary of the last call's program: operations, kernels, memory, operations that run in Python."""
        note = ""
        if self._python.signature.has_open_sizes:
            note = "\ninput_signature leaves sizes open: each size that comes has a program of its own."
        return report_text(self.__name__, self._state.last) + note

    def cache_info(self) -> CacheInfo:
        """Returns the number of recordings made, of keys and of traces in the cache, and the most keys."""
        cache = self._state.cache
        traces = sum(len(tree.traces) for key in cache for tree in key.trees)
        return CacheInfo(self._state.recordings, len(cache), traces, MOST_KEYS_PER_FUNCTION)

    def __copy__(self) -> Function:
        return self._copy_without_traces(self._python.function)

    def __deepcopy__(self, memo: dict[int, Any]) -> Function:
        return self._copy_without_traces(copy.deepcopy(self._python.function, memo))

    def _copy_without_traces(self, python_function: Callable[..., Any]) -> Function:
        """Returns another function of the same kind, without recordings."""
        return Function(python_function, self._python.input_signature, self._verify, self._python.instance)

    def __repr__(self) -> str:
        return f"<tf.function {self.__name__}>"


_STAGES = (Function._run_in_python, Function._replay_recording, Function._record)
"""What a call tries in turn. A stage returns the result, ``CALL_CHANGED`` for the next stage and after the last one for
another pass, or ``LOCK_NOT_FREE`` for a run of Python."""


def forget_entries() -> None:
    """Drops all entries, so that each function takes the slow path once; entries must check more from now on."""
    for function in list(Function._all):
        function._state.forget_entries()


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
    """Makes a function that is recorded once and replayed as one native program; also a decorator. TensorFlow: tf.function.

    Each input shape has its own program. A ``for i in tf.range(n)`` and a ``while`` with a condition on tensors become loops
    of the program, for any number of iterations. They must be in the function itself, their variables must keep shape and
    dtype, and their body must have no other effect in Python. All other control flow uses the values of tensors: each path
    through the function is recorded as a trace.

    Args:
        func: a Python function of tensors, arrays and Python values; without it, the decorator is returned.
        input_signature: a (nested) ``tf.TensorSpec`` for each argument. Arguments are converted to it, or refused.
        verify: how many of the first replays are also run eagerly and compared.
        autograph, jit_compile, reduce_retracing, experimental_implements, experimental_autograph_options,
            experimental_attributes, experimental_relax_shapes, experimental_compile, experimental_follow_type_hints: kept
            for TensorFlow's signature.

    Returns:
        A ``Function``, or a decorator.

    Raises:
        TypeError: ``func`` can't be called.

    Example:
        >>> @tf.function
        ... def scaled(x):
        ...     return 2.0 * x + 1.0
        >>> scaled(tf.constant([1.0, 2.0]))
        <tf.Tensor: shape=(2,), dtype=float32, numpy=array([3., 5.], dtype=float32)>
    """
    if func is None:
        return functools.partial(function, input_signature=input_signature, verify=verify)
    if isinstance(func, Function):
        return func
    if not callable(func):
        raise TypeError(f"tf.function: got {func!r}, which can't be called.")
    return Function(func, input_signature, verify)
