"""LLVM IR of the native function that Python calls for a kernel (METH_FASTCALL, no ctypes).

The function checks its arguments, takes the addresses out of the NumPy arrays and calls the body. For arguments that do
not fit, it calls the Python callable in `self`, which converts them and calls again, or raises.

The layouts read here are public ABI: `PyObject_HEAD` (its size is `object.__basicsize__`, the type its last field),
`PyVarObject`, `PyTupleObject`, `PyListObject`, and NumPy's `PyArrayObject_fields` and the head of `PyArray_Descr`,
which are the same in NumPy 1.x and 2.x on 64-bit CPython.

In checked builds (`bounds.py`) bodies get pointers with sizes and names, from both entries.

The second entry is the kernel as a step of a program (`i64 (ptr words, i64 first, i64 last)`). It reads its parameters
from a row of 64-bit words and checks nothing; see `step_ir`.

One file, because the two entries share the builder of one function.
"""

from __future__ import annotations

import itertools
import sys
from collections.abc import Mapping, Sequence

from fastgrad._src.jit import bounds
from fastgrad._src.jit.signature import ARRAY_KINDS, LIST_KINDS, KernelSource, Parameter, Signature, array_size_words

NDARRAY_TYPE = "fastgrad_ndarray_type"
RAISE_SYMBOL = "fastgrad_kernel_may_raise"

OBJECT_HEAD_BYTES = object.__basicsize__
TYPE_AT = OBJECT_HEAD_BYTES - 8
SIZE_AT = TUPLE_SIZE_AT = OBJECT_HEAD_BYTES
LIST_ITEMS_AT = OBJECT_HEAD_BYTES + 8
TUPLE_ITEMS_AT = tuple.__basicsize__
DATA_AT, NDIM_AT, SHAPE_AT, STRIDES_AT, DESCR_AT, FLAGS_AT = [OBJECT_HEAD_BYTES + at for at in (0, 8, 16, 24, 40, 48)]
BYTEORDER_AT, TYPE_NUMBER_AT = OBJECT_HEAD_BYTES + 10, OBJECT_HEAD_BYTES + 12
CONTIGUOUS_ALIGNED, WRITEABLE = 0x101, 0x400
SWAPPED_BYTEORDER = ord(">" if sys.byteorder == "little" else "<")

_DECLARATIONS = f"""
@{NDARRAY_TYPE} = external global i8
@PyTuple_Type = external global i8
@PyList_Type = external global i8
@_Py_NoneStruct = external global i8
declare void @{RAISE_SYMBOL}()
declare void @PyErr_Clear()
declare ptr @PyErr_NoMemory()
declare ptr @PyErr_Occurred()
declare ptr @PyEval_SaveThread()
declare void @PyEval_RestoreThread(ptr)
declare double @PyFloat_AsDouble(ptr)
declare i64 @PyLong_AsLongLong(ptr)
declare ptr @PyLong_FromLongLong(i64)
declare void @PyMem_RawFree(ptr)
declare ptr @PyMem_RawMalloc(i64)
declare ptr @PyObject_CallNoArgs(ptr)
declare ptr @PyObject_Vectorcall(ptr, ptr, i64, ptr)
declare void @Py_IncRef(ptr)

define internal i1 @array_fits(ptr %array, i32 %type_number, i32 %wanted_flags) alwaysinline {{
  %type_at = getelementptr i8, ptr %array, i64 {TYPE_AT}
  %type = load ptr, ptr %type_at
  %is_array = icmp eq ptr %type, @{NDARRAY_TYPE}
  br i1 %is_array, label %look, label %no
look:
  %descr_at = getelementptr i8, ptr %array, i64 {DESCR_AT}
  %descr = load ptr, ptr %descr_at
  %number_at = getelementptr i8, ptr %descr, i64 {TYPE_NUMBER_AT}
  %number = load i32, ptr %number_at
  %same_number = icmp eq i32 %number, %type_number
  %order_at = getelementptr i8, ptr %descr, i64 {BYTEORDER_AT}
  %order = load i8, ptr %order_at
  %native = icmp ne i8 %order, {SWAPPED_BYTEORDER}
  %flags_at = getelementptr i8, ptr %array, i64 {FLAGS_AT}
  %flags = load i32, ptr %flags_at
  %kept = and i32 %flags, %wanted_flags
  %laid_out = icmp eq i32 %kept, %wanted_flags
  %a = and i1 %same_number, %native
  %b = and i1 %a, %laid_out
  ret i1 %b
no:
  ret i1 false
}}

define internal ptr @array_data(ptr %array) alwaysinline {{
  %at = getelementptr i8, ptr %array, i64 {DATA_AT}
  %data = load ptr, ptr %at
  ret ptr %data
}}
"""

_SEQUENCE_ACCESS_IR = f"""
define internal ptr @sequence_items(ptr %sequence) alwaysinline {{
  %type_at = getelementptr i8, ptr %sequence, i64 {TYPE_AT}
  %type = load ptr, ptr %type_at
  %is_tuple = icmp eq ptr %type, @PyTuple_Type
  br i1 %is_tuple, label %tuple, label %other
tuple:
  %inside = getelementptr i8, ptr %sequence, i64 {TUPLE_ITEMS_AT}
  ret ptr %inside
other:
  %is_list = icmp eq ptr %type, @PyList_Type
  br i1 %is_list, label %list, label %no
list:
  %items_at = getelementptr i8, ptr %sequence, i64 {LIST_ITEMS_AT}
  %items = load ptr, ptr %items_at
  %empty = icmp eq ptr %items, null
  %result = select i1 %empty, ptr %items_at, ptr %items
  ret ptr %result
no:
  ret ptr null
}}

define internal i64 @sequence_length(ptr %sequence) alwaysinline {{
  %at = getelementptr i8, ptr %sequence, i64 {SIZE_AT}
  %length = load i64, ptr %at
  ret i64 %length
}}

define internal i64 @array_size(ptr %array) alwaysinline {{
entry:
  %ndim_at = getelementptr i8, ptr %array, i64 {NDIM_AT}
  %ndim = load i32, ptr %ndim_at
  %shape_at = getelementptr i8, ptr %array, i64 {SHAPE_AT}
  %shape = load ptr, ptr %shape_at
  br label %test
test:
  %axis = phi i32 [0, %entry], [%next, %multiply]
  %size = phi i64 [1, %entry], [%product, %multiply]
  %more = icmp slt i32 %axis, %ndim
  br i1 %more, label %multiply, label %done
multiply:
  %length_at = getelementptr i64, ptr %shape, i32 %axis
  %length = load i64, ptr %length_at
  %product = mul i64 %size, %length
  %next = add i32 %axis, 1
  br label %test, !llvm.loop !0
done:
  ret i64 %size
}}

; Axes are few: neither vectorise nor unroll.
!0 = distinct !{{!0, !1, !2}}
!1 = !{{!"llvm.loop.vectorize.enable", i1 false}}
!2 = !{{!"llvm.loop.unroll.disable"}}

; Store the data addresses of all arrays of a list, and their sizes if they are the first, else compare the sizes.
define internal i1 @collect(ptr %items, i64 %count, ptr %addresses, ptr %sizes, i1 %first, i32 %type_number,
                            i32 %flags) noinline {{
entry:
  br label %test
test:
  %i = phi i64 [0, %entry], [%next, %store]
  %more = icmp slt i64 %i, %count
  br i1 %more, label %item, label %done
item:
  %item_at = getelementptr ptr, ptr %items, i64 %i
  %array = load ptr, ptr %item_at
  %fits = call i1 @array_fits(ptr %array, i32 %type_number, i32 %flags)
  br i1 %fits, label %measure, label %no
measure:
  %size = call i64 @array_size(ptr %array)
  %size_at = getelementptr i64, ptr %sizes, i64 %i
  br i1 %first, label %keep, label %compare
keep:
  store i64 %size, ptr %size_at
  br label %store
compare:
  %wanted = load i64, ptr %size_at
  %same = icmp eq i64 %size, %wanted
  br i1 %same, label %store, label %no
store:
  %data = call ptr @array_data(ptr %array)
  %address_at = getelementptr ptr, ptr %addresses, i64 %i
  store ptr %data, ptr %address_at
  %next = add i64 %i, 1
  br label %test
done:
  ret i1 true
no:
  ret i1 false
}}
"""


def wrapper_ir(source: KernelSource, symbol: str) -> str:
    """Returns the text of an LLVM module that defines `symbol` and calls `@.body`."""
    lists = [p for p in source.signature.parameters if p.kind in LIST_KINDS]
    return "\n".join(
        (
            _DECLARATIONS,
            _SEQUENCE_ACCESS_IR if lists or bounds.checks_bounds() else "",
            checked_names_ir(source.function.__name__, source.signature) if bounds.checks_bounds() else "",
            _Wrapper(source, symbol, lists).function_ir(),
            step_ir(source, symbol),
        )
    )


def program_entry_symbol(symbol: str) -> str:
    """Returns the name of a kernel's entry for programs."""
    return f"{symbol}_step"


def step_ir(source: KernelSource, symbol: str) -> str:
    """Returns the LLVM IR of the kernel as a step of a program.

    Each parameter has a word, in order: the address of an array's elements, of a list's addresses, or of a list's
    sizes; the value of an int or of a list's length; the address of a float64. `first` and `last` have no word: they
    are the share that the caller wants done. The step returns 0 if the body returns nothing, or -1; else it returns the
    body's result plus 1.

    In checked builds more words follow (`array_size_words`): for each array its number of elements, for each list the
    address of such numbers and their count.
    """
    lines, values, place = [], [], 0
    extents: dict[str, list[str]] = {}
    sizes = array_size_words(source.signature) if bounds.checks_bounds() else {}
    for parameter in source.signature.parameters:
        name, kind = parameter.name, _llvm_type(parameter)
        if parameter.is_share_bound:
            values.append(f"i64 %.{name}")
            continue
        lines.append(f"  %.at_{name} = getelementptr i64, ptr %.words, i64 {place}")
        place += 1
        if parameter.kind == "float":
            lines.append(f"  %.float_{name} = load ptr, ptr %.at_{name}")
            lines.append(f"  %.v_{name} = load double, ptr %.float_{name}")
        else:
            lines.append(f"  %.v_{name} = load {kind}, ptr %.at_{name}")
        given = [f"%.v_{name}"]
        for (field_kind, field), word in zip(llvm_fields(parameter)[1:], sizes.get(name, ()), strict=False):
            lines.append(f"  %.at_{name}{field} = getelementptr i64, ptr %.words, i64 {word}")
            lines.append(f"  %.v_{name}{field} = load {field_kind}, ptr %.at_{name}{field}")
            given.append(f"%.v_{name}{field}")
        extents[name] = given
        values.append(body_arguments(parameter, given))
    actual = ", ".join(values)
    lines += [f"  {line}" for line in overlap_checks_ir(source, extents)]
    if source.signature.returns_status:
        lines += [f"  %.given = call i64 @.body({actual})", "  %.answer = add i64 %.given, 1"]
    else:
        lines += [f"  call void @.body({actual})", "  %.answer = add i64 0, 0"]
    if bounds.checks_bounds():
        lines += [f"  %.flag = load i64, ptr @{bounds.RECORD_SYMBOL}", "  %.inside = icmp eq i64 %.flag, 0"]
        lines += [
            f"  %.final = select i1 %.inside, i64 %.answer, i64 {bounds.OUT_OF_BOUNDS_CODE}",
            "  ret i64 %.final",
        ]
    else:
        lines.append("  ret i64 %.answer")
    head = f"define i64 @{program_entry_symbol(symbol)}(ptr %.words, i64 %.first, i64 %.last) {{\nentry:\n"
    return head + "\n".join([*lines, "}"])


def _llvm_type(parameter: Parameter) -> str:
    return {"int": "i64", "float": "double", "count": "i64"}.get(parameter.kind, "ptr")


def llvm_fields(parameter: Parameter) -> list[tuple[str, str]]:
    """Returns the LLVM types of the values that a body gets for a parameter, each with the suffix of its name."""
    first = (_llvm_type(parameter), "")
    if not bounds.checks_bounds():
        return [first]
    if parameter.kind in (*ARRAY_KINDS, "sizes", "objects"):
        return [first, ("i64", ".size"), ("ptr", ".name")]
    if parameter.kind in LIST_KINDS:
        return [first, ("ptr", ".sizes"), ("i64", ".size"), ("ptr", ".name")]
    return [first]


def body_arguments(parameter: Parameter, values: Sequence[str]) -> str:
    """Returns the values for a parameter as arguments of the body: the `values`, and the parameter's name."""
    fields = llvm_fields(parameter)
    if parameter.kind == "objects":  # Python's objects, whose number is not known
        values = [*values, str(bounds.NO_BOUND)]
    named = [*values, f"@.name_{parameter.name}"][: len(fields)]
    return ", ".join(f"{kind} {value}" for (kind, _), value in zip(fields, named, strict=True))


def overlap_checks_ir(source: KernelSource, extents: Mapping[str, Sequence[str]]) -> list[str]:
    """Returns lines that check, in checked builds, that a written array overlaps no other array.

    Args:
        source: the kernel's source; the arrays of a pair in its `in_place` are one array.
        extents: the address and the number of elements of each array.
    """
    if not (source.noalias and bounds.checks_bounds()):
        return []
    arrays = [
        (i, p, f"ptr {extents[p.name][0]}, i64 {extents[p.name][1]}, i64 {dtype.itemsize}, ptr @.name_{p.name}")
        for i, (p, dtype) in enumerate(zip(source.signature.parameters, source.dtypes, strict=True))
        if p.kind in ARRAY_KINDS and dtype is not None
    ]
    same = dict(source.in_place)
    return [
        f"call void @.compare({first}, {second})"
        for (i, one, first), (k, other, second) in itertools.combinations(arrays, 2)
        if (one.written or other.written) and same.get(i, i) != same.get(k, k)
    ]


def checked_names_ir(kernel: str, signature: Signature) -> str:
    """Returns IR for checked builds: the kernel's and parameters' names, and the recorder of accesses outside."""
    names = [
        bounds.string_constant_ir(f".name_{p.name}", p.name) for p in signature.parameters if len(llvm_fields(p)) > 1
    ]
    return "\n".join([bounds.recorder_ir(), bounds.string_constant_ir(".kernel_name", kernel), *names])


class _Wrapper:
    """A writer of the LLVM IR of one kernel's native function, block by block."""

    def __init__(self, source: KernelSource, symbol: str, lists: Sequence[Parameter]) -> None:
        self.source = source
        self.symbol = symbol
        self.lists = lists
        self.lines: list[str] = []
        self.blocks = 0

    def emit(self, line: str) -> None:
        """Appends a line to the present block."""
        self.lines.append("  " + line)

    def emit_branch(self, condition: str, otherwise: str) -> None:
        """Continues in a new block if the condition holds."""
        self.blocks += 1
        self.emit(f"br i1 {condition}, label %b{self.blocks}, label %{otherwise}")
        self.lines.append(f"b{self.blocks}:")

    def function_ir(self) -> str:
        """Returns the LLVM IR of the function."""
        source, passed = self.source, self.source.signature.passed_parameters
        self.emit(f"%.arity = icmp eq i64 %nargs, {len(passed)}")
        self.emit_branch("%.arity", "slow")
        values: dict[str, list[str]] = {}
        for position, parameter in enumerate(passed):
            self.emit(f"%.o_{parameter.name}_at = getelementptr ptr, ptr %args, i64 {position}")
            self.emit(f"%.o_{parameter.name} = load ptr, ptr %.o_{parameter.name}_at")
        # Numbers first: their conversion may run Python code, which may change arrays and lists.
        for parameter in passed:
            if parameter.kind == "int":
                values[parameter.name] = [self.emit_number(parameter, "i64", "PyLong_AsLongLong", "icmp eq", "-1")]
            elif parameter.kind == "float":
                values[parameter.name] = [self.emit_number(parameter, "double", "PyFloat_AsDouble", "fcmp oeq", "-1.0")]
        for parameter, dtype in zip(source.signature.parameters, source.dtypes, strict=True):
            if parameter.kind == "objects":
                values[parameter.name] = [self.emit_objects(parameter)]
            elif parameter.kind in ARRAY_KINDS and dtype is not None:
                values[parameter.name] = self.emit_array(parameter, dtype.num)
        if self.lists:
            values.update(self.emit_lists())
        actual = ", ".join(body_arguments(p, values[p.name]) for p in source.signature.parameters)
        for line in overlap_checks_ir(source, values):
            self.emit(line)
        if source.release_gil:
            self.emit("%.thread = call ptr @PyEval_SaveThread()")
        status = source.signature.returns_status
        self.emit(f"%.status = call i64 @.body({actual})" if status else f"call void @.body({actual})")
        if source.release_gil:
            self.emit("call void @PyEval_RestoreThread(ptr %.thread)")
        if self.lists:
            self.emit("call void @PyMem_RawFree(ptr %.memory)")
        if bounds.checks_bounds():
            self.emit(f"%.flag = load i64, ptr @{bounds.RECORD_SYMBOL}")
            self.emit("%.inside = icmp eq i64 %.flag, 0")
            self.emit_branch("%.inside", "outside")
        if status:
            self.emit("%.object = call ptr @PyLong_FromLongLong(i64 %.status)")
            self.emit("ret ptr %.object")
        else:
            self.emit("call void @Py_IncRef(ptr @_Py_NoneStruct)")
            self.emit("ret ptr @_Py_NoneStruct")
        self.emit_slow_path()
        return f"define ptr @{self.symbol}(ptr %self, ptr %args, i64 %nargs) {{\nentry:\n" + "\n".join(
            [*self.lines, "}"]
        )

    def emit_array(self, parameter: Parameter, type_number: int) -> list[str]:
        """Checks an array; returns its address and, where bounds are checked, its size."""
        name = parameter.name
        flags = CONTIGUOUS_ALIGNED | (WRITEABLE if parameter.written else 0)
        self.emit(f"%.fits_{name} = call i1 @array_fits(ptr %.o_{name}, i32 {type_number}, i32 {flags})")
        self.emit_branch(f"%.fits_{name}", "slow")
        self.emit(f"%.v_{name} = call ptr @array_data(ptr %.o_{name})")
        if not bounds.checks_bounds():
            return [f"%.v_{name}"]
        self.emit(f"%.size_{name} = call i64 @array_size(ptr %.o_{name})")
        return [f"%.v_{name}", f"%.size_{name}"]

    def emit_objects(self, parameter: Parameter) -> str:
        """Checks a tuple; returns the address of its items."""
        name = parameter.name
        self.emit(f"%.type_{name}_at = getelementptr i8, ptr %.o_{name}, i64 {TYPE_AT}")
        self.emit(f"%.type_{name} = load ptr, ptr %.type_{name}_at")
        self.emit(f"%.fits_{name} = icmp eq ptr %.type_{name}, @PyTuple_Type")
        self.emit_branch(f"%.fits_{name}", "slow")
        self.emit(f"%.v_{name} = getelementptr i8, ptr %.o_{name}, i64 {TUPLE_ITEMS_AT}")
        return f"%.v_{name}"

    def emit_number(self, parameter: Parameter, llvm_type: str, convert: str, compare: str, sentinel: str) -> str:
        """Converts a Python number; the sentinel is a valid value, or the sign of an exception."""
        name = parameter.name
        self.emit(f"%.v_{name} = call {llvm_type} @{convert}(ptr %.o_{name})")
        self.emit(f"%.odd_{name} = {compare} {llvm_type} %.v_{name}, {sentinel}")
        self.emit(f"br i1 %.odd_{name}, label %ask_{name}, label %have_{name}")
        self.lines.append(f"ask_{name}:")
        self.emit(f"%.e_{name} = call ptr @PyErr_Occurred()")
        self.emit(f"%.fine_{name} = icmp eq ptr %.e_{name}, null")
        self.emit(f"br i1 %.fine_{name}, label %have_{name}, label %clear")
        self.lines.append(f"have_{name}:")
        return f"%.v_{name}"

    def emit_lists(self) -> dict[str, list[str]]:
        """Emits the checks of the lists. One allocation holds the sizes and then the addresses of each list."""
        numbers = {
            p.name: d.num for p, d in zip(self.source.signature.parameters, self.source.dtypes, strict=True) if d
        }
        values = {}
        for parameter in self.lists:
            name = parameter.name
            self.emit(f"%.items_{name} = call ptr @sequence_items(ptr %.o_{name})")
            self.emit(f"%.is_{name} = icmp ne ptr %.items_{name}, null")
            self.emit_branch(f"%.is_{name}", "slow")
            self.emit(f"%.n_{name} = call i64 @sequence_length(ptr %.o_{name})")
            if parameter is not self.lists[0]:
                self.emit(f"%.same_{name} = icmp eq i64 %.n_{name}, %.n_{self.lists[0].name}")
                self.emit_branch(f"%.same_{name}", "slow")
        count = f"%.n_{self.lists[0].name}"
        self.emit(f"%.words = mul i64 {count}, {len(self.lists) + 1}")
        self.emit("%.bytes = mul i64 %.words, 8")
        self.emit("%.memory = call ptr @PyMem_RawMalloc(i64 %.bytes)")
        self.emit("%.allocated = icmp ne ptr %.memory, null")
        self.emit_branch("%.allocated", "no_memory")
        for place, parameter in enumerate(self.lists):
            name = parameter.name
            flags = CONTIGUOUS_ALIGNED | (WRITEABLE if parameter.written else 0)
            self.emit(f"%.offset_{name} = mul i64 {count}, {place + 1}")
            self.emit(f"%.v_{name} = getelementptr ptr, ptr %.memory, i64 %.offset_{name}")
            first = "true" if place == 0 else "false"
            self.emit(
                f"%.fits_{name} = call i1 @collect(ptr %.items_{name}, i64 {count}, ptr %.v_{name}, ptr %.memory, "
                f"i1 {first}, i32 {numbers[name]}, i32 {flags})"
            )
            self.emit_branch(f"%.fits_{name}", "free")
            values[name] = [f"%.v_{name}", "%.memory", count][: max(len(llvm_fields(parameter)) - 1, 1)]
        for parameter in self.source.signature.parameters:
            if parameter.kind == "count":
                values[parameter.name] = [count]
            elif parameter.kind == "sizes":
                values[parameter.name] = ["%.memory", count][: max(len(llvm_fields(parameter)) - 1, 1)]
        return values

    def emit_slow_path(self) -> None:
        """Emits the slow path, which calls `self` with all arguments."""
        if bounds.checks_bounds():
            self.lines.append("outside:")
            self.emit(f"%.reported = call ptr @PyObject_CallNoArgs(ptr @{bounds.REPORT_SYMBOL})")
            self.emit("ret ptr null")
        if self.lists:
            self.lines.append("no_memory:")
            self.emit("%.none = call ptr @PyErr_NoMemory()")
            self.emit("ret ptr %.none")
            self.lines.append("free:")
            self.emit("call void @PyMem_RawFree(ptr %.memory)")
            self.emit("br label %slow")
        if any(p.kind in ("int", "float") for p in self.source.signature.parameters):
            self.lines.append("clear:")
            self.emit("call void @PyErr_Clear()")
            self.emit("br label %slow")
        self.lines.append("slow:")
        self.emit("%.answer = call ptr @PyObject_Vectorcall(ptr %self, ptr %args, i64 %nargs, ptr null)")
        self.emit("ret ptr %.answer")
