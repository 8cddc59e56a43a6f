"""A stand-in for NVIDIA's driver: the functions of libcuda that the packages cuda-core and cuda-bindings call, on host memory.

So the packages' own code runs, with fastgrad's calls of it: which functions are called in which order, what their arguments are, how
the arguments of kernels are packed, what is recorded in graphs. Kernels are run by the simulation. What it cannot tell is what a GPU
would do.
"""

import ctypes
import subprocess
import traceback
from ctypes import POINTER, c_char_p, c_int, c_longlong, c_size_t, c_ubyte, c_uint, c_ulonglong, c_void_p
from pathlib import Path

from fastgrad._src.cuda.devices import real
from tests.cuda.simulation.lock_step import SimulatedKernel

SHIM = """
int (*fastgrad_resolve)(const char*, void**);
int cuGetProcAddress_v2(const char* name, void** found, int version, unsigned long long flags, int* status) {
  int code = fastgrad_resolve(name, found);
  if (status) *status = code ? 1 : 0;
  return code;
}
"""
OUT_OF_MEMORY, NOT_FOUND, UNKNOWN = 2, 500, 999  # of CUresult
MEMORY = 1 << 26
ALIGNMENT = 256

functions = {}
says = {"version": 13000, "cuInit": 0}
called = []
failures = []  # of this module's own functions
launches = []
kernels = []  # those that the driver has code of, simulated
_live = {}
_graphs = {}
_capturing = {}
_graph_of = {}
_handles = iter(range(0x1000, 1 << 40, 0x10))


def function(*types):
    """Adds a function of libcuda, whose arguments have these types."""

    def add(body):
        def call(*arguments):
            called.append(body.__name__)
            try:
                return body(*arguments) or 0
            except Exception:  # noqa: BLE001 (no exception leaves a function that C calls)
                failures.append(traceback.format_exc())
                return UNKNOWN

        functions[body.__name__] = ctypes.CFUNCTYPE(c_int, *types)(call)
        return body

    return add


def install(folder):
    """Makes a libcuda whose functions are this module's, and loads it; kernels that are loaded are simulated."""
    source, library = Path(folder) / "shim.c", Path(folder) / "libcuda.so.1"
    source.write_text(SHIM)
    subprocess.run(["cc", "-shared", "-fPIC", "-Wl,-soname,libcuda.so.1", "-o", library, source], check=True)
    shim = ctypes.CDLL(str(library), ctypes.RTLD_GLOBAL)
    c_void_p.in_dll(shim, "fastgrad_resolve").value = ctypes.cast(_resolve, c_void_p).value

    def cubin(kernel, dtypes, capability):
        kernels.append(SimulatedKernel(kernel, dtypes))
        return compiled(kernel, dtypes, capability)

    compiled, real.cached_cubin = real.cached_cubin, cubin


@ctypes.CFUNCTYPE(c_int, c_char_p, POINTER(c_void_p))
def _resolve(name, found):
    known = functions.get(name.decode())
    found[0] = None if known is None else ctypes.cast(known, c_void_p).value
    return NOT_FOUND if known is None else 0


def _do(stream, step):
    """Does a piece of work of a stream, or writes it down."""
    if stream in _capturing:
        _capturing[stream].append(step)
    else:
        step()


def _give(pointer, value):
    pointer[0] = value


# ---- devices and contexts ------------------------------------------------------------------------------------

MULTIPROCESSORS, MAJOR, MINOR, MEMORY_POOLS = 16, 75, 76, 115  # of CUdevice_attribute


@function(c_uint)
def cuInit(flags):
    return says["cuInit"]


@function(POINTER(c_int))
def cuDriverGetVersion(version):
    _give(version, says["version"])


ERRORS = {
    OUT_OF_MEMORY: b"CUDA_ERROR_OUT_OF_MEMORY",
    UNKNOWN: b"CUDA_ERROR_UNKNOWN",
    NOT_FOUND: b"CUDA_ERROR_NOT_FOUND",
}


@function(c_int, POINTER(c_char_p))
def cuGetErrorName(code, text):
    _give(text, ERRORS.get(code, b"CUDA_ERROR"))


@function(c_int, POINTER(c_char_p))
def cuGetErrorString(code, text):
    _give(text, ERRORS.get(code, b"CUDA_ERROR"))


@function(POINTER(c_int))
def cuDeviceGetCount(count):
    _give(count, 1)


@function(POINTER(c_int), c_int)
def cuDeviceGet(device, number):
    _give(device, number)


@function(c_void_p, c_int, c_int)
def cuDeviceGetName(name, length, device):
    ctypes.memmove(name, b"Stand-in\0", 9)


@function(POINTER(c_int), c_int, c_int)
def cuDeviceGetAttribute(value, attribute, device):
    _give(value, {MULTIPROCESSORS: 4, MAJOR: 9, MINOR: 0, MEMORY_POOLS: 1}.get(attribute, 0))


_context = []


@function(POINTER(c_void_p), c_int)
def cuDevicePrimaryCtxRetain(context, device):
    _give(context, 0x77)


@function(c_int)
def cuDevicePrimaryCtxRelease(device):
    pass


@function(c_void_p)
def cuCtxSetCurrent(context):
    _context[:] = [context]


@function(POINTER(c_void_p))
def cuCtxGetCurrent(context):
    _give(context, _context[0] if _context else None)


@function(POINTER(c_int))
def cuCtxGetDevice(device):
    _give(device, 0)


# ---- memory --------------------------------------------------------------------------------------------------


def _allocated(nbytes):
    if sum(len(memory) for memory in _live.values()) + nbytes > MEMORY:
        return None
    memory = (c_ubyte * (nbytes + ALIGNMENT))()
    address = -(-ctypes.addressof(memory) // ALIGNMENT) * ALIGNMENT
    _live[address] = memory
    return address


@function(POINTER(c_size_t), POINTER(c_size_t))
def cuMemGetInfo(free, total):
    _give(free, MEMORY - sum(len(memory) for memory in _live.values()))
    _give(total, MEMORY)


@function(POINTER(c_void_p), c_int)
def cuDeviceGetMemPool(pool, device):
    _give(pool, 0x88)


@function(c_void_p, c_int, c_void_p)
def cuMemPoolSetAttribute(pool, attribute, value):
    pass


@function(c_void_p, c_int, POINTER(c_ulonglong))
def cuMemPoolGetAttribute(pool, attribute, value):
    _give(value, 0)


@function(POINTER(c_void_p), c_size_t, c_void_p, c_void_p)
def cuMemAllocFromPoolAsync(address, nbytes, pool, stream):
    found = _allocated(nbytes)
    if found is None:
        return OUT_OF_MEMORY
    _give(address, found)
    return 0


@function(c_void_p, c_void_p)
def cuMemFreeAsync(address, stream):
    del _live[address]


MEMORY_TYPE, DEVICE = 2, 2


@function(c_uint, POINTER(c_int), POINTER(POINTER(c_int)), c_void_p)
def cuPointerGetAttributes(count, attributes, values, address):
    for number in range(count):
        _give(values[number], DEVICE if attributes[number] == MEMORY_TYPE else 0)


@function(POINTER(c_int), c_int, c_void_p)
def cuPointerGetAttribute(value, attribute, address):
    _give(value, DEVICE if attribute == MEMORY_TYPE else 0)


@function(POINTER(c_void_p), c_size_t)
def cuMemAllocHost(address, nbytes):
    _give(address, _allocated(nbytes))


@function(c_void_p)
def cuMemFreeHost(address):
    del _live[address]


def _copy(to, source, nbytes, stream):
    _do(stream, lambda: ctypes.memmove(to, source, nbytes))


for name in ("cuMemcpyHtoDAsync", "cuMemcpyDtoHAsync", "cuMemcpyDtoDAsync"):
    _copy.__name__ = name
    function(c_void_p, c_void_p, c_size_t, c_void_p)(_copy)


@function(c_void_p, c_ubyte, c_size_t, c_void_p)
def cuMemsetD8Async(address, byte, nbytes, stream):
    _do(stream, lambda: ctypes.memset(address, byte, nbytes))


# ---- streams and events --------------------------------------------------------------------------------------


@function(POINTER(c_void_p), c_uint, c_int)
def cuStreamCreateWithPriority(stream, flags, priority):
    _give(stream, next(_handles))


@function(POINTER(c_int), POINTER(c_int))
def cuCtxGetStreamPriorityRange(least, greatest):
    _give(least, 0)
    _give(greatest, -5)


@function(c_void_p)
def cuStreamDestroy(stream):
    pass


@function(c_void_p)
def cuStreamSynchronize(stream):
    assert stream not in _capturing, "a stream that is recorded is waited for"


@function(POINTER(c_void_p), c_uint)
def cuEventCreate(event, flags):
    _give(event, next(_handles))


@function(c_void_p)
def cuEventDestroy(event):
    pass


@function(c_void_p, c_void_p)
def cuEventRecord(event, stream):
    pass


@function(c_void_p)
def cuEventSynchronize(event):
    pass


@function(c_void_p, c_void_p, c_uint)
def cuStreamWaitEvent(stream, event, flags):
    assert stream not in _capturing, "a stream that is recorded waits for an event"


# ---- kernels -------------------------------------------------------------------------------------------------


@function(POINTER(c_void_p), c_void_p, c_void_p, c_void_p, c_uint, c_void_p, c_void_p, c_uint)
def cuLibraryLoadData(library, code, options, values, count, more, more_values, more_count):
    assert ctypes.string_at(code, 4) == b"\x7fELF"
    _give(library, len(kernels))  # of the kernel that was compiled last; 0 is none


@function(c_void_p)
def cuLibraryUnload(library):
    pass


@function(POINTER(c_void_p), c_void_p, c_char_p)
def cuLibraryGetKernel(kernel, library, name):
    assert name.startswith(b"fastgrad_")
    _give(kernel, library)


@function(POINTER(c_void_p), c_void_p)
def cuKernelGetFunction(found, kernel):
    _give(found, kernel)


@function(c_void_p)
def cuFuncLoad(found):
    pass


@function(POINTER(c_int), c_void_p, c_int, c_size_t)
def cuOccupancyMaxActiveBlocksPerMultiprocessor(blocks, found, threads, shared):
    _give(blocks, 2)


def _room(address):
    """How many bytes there are from an address to the end of what it is in."""
    ends = [start + len(memory) - ALIGNMENT for start, memory in _live.items() if start <= address]
    return max(end - address for end in ends)


class Configuration(ctypes.Structure):
    """CUlaunchConfig."""

    _fields_ = [(name, c_uint) for name in ("gx", "gy", "gz", "bx", "by", "bz", "shared")] + [
        ("stream", c_void_p),
        ("attributes", c_void_p),
        ("count", c_uint),
    ]


@function(POINTER(Configuration), c_void_p, POINTER(c_void_p), c_void_p)
def cuLaunchKernelEx(configuration, kernel, parameters, extra):
    one, simulated = configuration[0], kernels[kernel - 1]
    words = []
    for number, parameter in enumerate([*simulated.kernel.entry_parameters, None, None]):
        floating = parameter is not None and parameter.kind == "float"
        words.append((ctypes.c_double if floating else c_longlong).from_address(parameters[number]).value)
    launches.append((simulated.kernel.name, one.gx, one.bx))
    assert (one.gy, one.gz, one.by, one.bz, one.shared) == (1, 1, 1, 1, 0)
    _do(one.stream, lambda: simulated.run(words[:-1], words[-1], 2, 32, _room))


# ---- graphs --------------------------------------------------------------------------------------------------


@function(c_void_p, c_int)
def cuStreamBeginCapture(stream, mode):
    assert mode == 1, "thread local"
    _capturing[stream] = _graphs[handle := next(_handles)] = []
    _graph_of[stream] = handle


@function(c_void_p, POINTER(c_int))
def cuStreamIsCapturing(stream, status):
    _give(status, int(stream in _capturing))


@function(c_void_p, POINTER(c_int), POINTER(c_ulonglong), POINTER(c_void_p), c_void_p, c_void_p, POINTER(c_size_t))
def cuStreamGetCaptureInfo(stream, status, number, graph, nodes, edges, count):
    _give(status, int(stream in _capturing))
    for pointer, value in ((number, 1), (graph, _graph_of.get(stream)), (count, 0)):
        if pointer:
            _give(pointer, value)


@function(c_void_p, POINTER(c_void_p))
def cuStreamEndCapture(stream, graph):
    del _capturing[stream]
    _give(graph, _graph_of.pop(stream))


@function(POINTER(c_void_p), c_void_p, c_void_p)
def cuGraphInstantiateWithParams(instance, graph, parameters):
    _graphs[handle := next(_handles)] = _graphs[graph]
    ctypes.cast(parameters, POINTER(c_int))[6] = 0  # the result: all is well
    _give(instance, handle)


@function(POINTER(c_void_p), c_void_p, c_ulonglong)
def cuGraphInstantiate(instance, graph, flags):
    _graphs[handle := next(_handles)] = _graphs[graph]
    _give(instance, handle)


@function(c_void_p)
def cuGraphDestroy(graph):
    pass


@function(c_void_p)
def cuGraphExecDestroy(instance):
    pass


@function(c_void_p, c_void_p)
def cuGraphUpload(instance, stream):
    pass


@function(c_void_p, c_void_p)
def cuGraphLaunch(instance, stream):
    for step in _graphs[instance]:
        step()


@function(POINTER(c_void_p), c_void_p, c_void_p, c_uint, c_uint)
def cuUserObjectCreate(found, memory, destroy, count, flags):
    _give(found, next(_handles))


@function(c_void_p, c_uint)
def cuUserObjectRelease(found, count):
    pass


@function(c_void_p, c_uint)
def cuUserObjectRetain(found, count):
    pass


@function(c_void_p, c_void_p, c_uint, c_uint)
def cuGraphRetainUserObject(graph, found, count, flags):
    pass


@function(c_void_p, c_void_p, c_uint)
def cuGraphReleaseUserObject(graph, found, count):
    pass
