"""Gives hostile files to readers, in a process that a crash may end.

    python -m tests.reliability.hostile_files.worker FOLDER '{"readers": ["npz"], "truncations": 50, "flips": 50, "mutations": 50, "attacks": true}'

Before each case the file `FOLDER/case` says which it is, so that it is known after a crash. `FOLDER/report.json` is written at the end.
"""

from __future__ import annotations

import faulthandler
import gc
import json
import logging
import os
import resource
import shutil
import signal
import sys
import tempfile
import warnings
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from fastgrad._src.data import files
from tests.reliability.hostile_files import attacks, attacks_on_data, attacks_on_models, damage  # noqa: F401
from tests.reliability.hostile_files.readers import READERS, Reader, Refused, content

CPU_SECONDS = 20
WALL_SECONDS = 400
ADDRESS_SPACE = 2 << 30
"""What a case may take of the address space, beyond what the process has before the first."""

ALLOWANCE = 8 << 20
MULTIPLE = 2
"""The memory that a case may take: ALLOWANCE, and MULTIPLE times the bytes of its file and of its result."""

MULTIPLE_OF_JSON = 26
JSON = (
    *("safetensors", "checkpoint", "backup of fit", "dataset index", "dataset elements", "dataset cache"),
    *("npz", "compressed npz", "word numbers"),
)
"""Readers of JSON texts, whose smallest objects, such as `{"":0}`, take 26 bytes a letter in Python."""

CONFIGURATIONS = (
    ".keras",
    ".h5",
    ".h5 of Keras",
    "model in safetensors",
    "model in npz",
    "model in JSON",
    "object in JSON",
)
"""Readers of JSON texts of which objects are made, while both are there."""

UNPACKED = {
    "a line of 100 MiB": 2 * files.MAX_LINE_BYTES,
    "a device whose line has no end": 2 * files.MAX_LINE_BYTES,
    "a record of 100 MiB that is cut off": 200 << 20,
    "an array by scale and offset": 64 << 20,
    "an array compressed a thousand times": 16 << 20,
    "an archive of zeros that is as it says": 16 << 20,
}
"""The bytes that a format may unpack before the reader can see that they are wrong: a line of `LONGEST_LINE` and its parts, whole arrays."""

FORBIDDEN = (
    "os.system",
    "os.exec",
    "os.posix_spawn",
    "os.spawn",
    "subprocess.Popen",
    "socket.connect",
    "ctypes.dlopen",
    "marshal.loads",
)
WRITING: dict[str, tuple[tuple[int, int | None], ...]] = {
    "os.mkdir": ((0, 2),),
    "os.remove": ((0, 1),),
    "os.rename": ((0, 2), (1, 3)),
    "os.rmdir": ((0, 1),),
    "os.link": ((1, 3),),
    "os.symlink": ((1, 2),),
    "os.chmod": ((0, 2),),
    "os.truncate": ((0, None),),
    "shutil.rmtree": ((0, 1),),
}
"""Events of calls that change files: which arguments are paths, and which are the descriptors of the folders that these are relative to."""


class Hang(BaseException):
    """A case took too long."""


class Watch:
    """What a reader does that a file must not make it do, by Python's audit events."""

    def __init__(self, folder: Path) -> None:
        self.folder = str(folder)
        self.events: list[str] = []
        self.is_on = False
        sys.addaudithook(self._note)

    def _note(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self.is_on:
            return
        if event in FORBIDDEN:
            imports_library = event == "ctypes.dlopen" and not str(arguments[0]).startswith("/tmp")
            from_import = event == "marshal.loads" and sys._getframe(1).f_code.co_filename.startswith("<frozen")
            if not imports_library and not from_import:
                self.events.append(f"{event}{arguments!r}"[:200])
        elif event == "open" and isinstance(arguments[0], (str, bytes)):
            path = os.fsdecode(arguments[0])
            if attacks.SECRET in path and not self._is_inside(path):
                self.events.append(f"open {path}")
            elif (
                isinstance(arguments[2], int) and arguments[2] & (os.O_WRONLY | os.O_RDWR) and not self._may_write(path)
            ):
                self.events.append(f"write {path}")
        elif event in WRITING:
            paths = changed_paths(event, arguments)
            self.events += [
                f"{event} {path}"
                for path in paths
                if not f"{path}/".startswith(f"{self.folder}/") and "__pycache__" not in path
            ]

    def _is_inside(self, path: str) -> bool:
        return f"{os.path.realpath(path)}/".startswith(f"{self.folder}/")

    def _may_write(self, path: str) -> bool:
        return self._is_inside(path) or path == os.devnull or path.startswith("/proc/self/") or "__pycache__" in path


def changed_paths(event: str, arguments: tuple[Any, ...]) -> list[str]:
    """The paths of what an audited call makes, changes or deletes, in folders without links. Files that are open already are left out."""
    paths = []
    for name, folder in WRITING[event]:
        if isinstance(arguments[name], (str, bytes, os.PathLike)):
            # Before Python 3.11 `shutil.rmtree` does not tell its folder.
            descriptor = None if folder is None or folder >= len(arguments) else arguments[folder]
            base = os.getcwd() if descriptor in (None, -1) else os.readlink(f"/proc/self/fd/{descriptor}")
            path = os.path.join(base, os.fsdecode(arguments[name]))
            if event in ("os.chmod", "os.truncate"):
                paths.append(os.path.realpath(path))
            else:  # a link itself, not what it leads to
                paths.append(os.path.join(os.path.realpath(os.path.dirname(path)), os.path.basename(path)))
    return paths


class Worker:
    """Runs cases, and counts what came of them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.counts: Counter[str] = Counter()
        self.failures: list[str] = []
        self.worst = {"multiple": 0.0, "multiple of JSON": 0.0, "growth": 0}
        self.cases = os.open(folder / "case", os.O_RDWR | os.O_CREAT)
        self.peak = Peak()
        self.log = Log()
        logging.getLogger("fastgrad").addHandler(self.log)
        logging.getLogger("fastgrad").propagate = False

    def run(self, name: str, task: dict[str, Any], watch: Watch) -> None:
        reader = READERS[name]
        place = Path(tempfile.mkdtemp(dir=self.folder))
        path = reader.make(place)
        data = path.read_bytes()
        right = content(reader.read(path))
        watch.folder = str(self.folder)
        for kind, cases in self._damages(name, data, reader, task):
            for case, changed in cases:
                path.write_bytes(changed)
                self._case(name, kind, case, reader, path, right, watch, len(changed))
        path.write_bytes(data)
        if content(reader.read(path)) != right:
            self.failures.append(f"{name}: the valid file is read differently after the damaged ones")
        shutil.rmtree(place)
        for case, make in attacks.of(name, task["full"]):
            place = Path(tempfile.mkdtemp(dir=self.folder)) / "inside"
            place.mkdir()
            path = reader.make(place)
            expected = make(path)
            size = sum(one.stat().st_size for one in place.rglob("*") if one.is_file() and not one.is_symlink())
            self._case(name, "attacks", case, reader, path, expected, watch, size)
            left = sorted(one.name for one in place.parent.iterdir())
            if left != ["inside"]:
                self.failures.append(f"{name}, {case}: {left} were written outside of the folder")
            shutil.rmtree(place.parent)

    def _damages(
        self, name: str, data: bytes, reader: Reader, task: dict[str, Any]
    ) -> Iterator[tuple[str, Iterator[tuple[str, bytes]]]]:
        yield "truncations", damage.truncated(data, task["truncations"])
        yield "flips", damage.flipped(data, reader.header, task["flips"])
        first = task.get("seed", 0)
        yield "mutations", (damage.mutated(data, seed) for seed in range(first, first + task["mutations"]))

    def _case(
        self, name: str, kind: str, case: str, reader: Reader, path: Path, right: Any, watch: Watch, size: int
    ) -> None:
        os.pwrite(self.cases, f"{name}, {case}".encode().ljust(200), 0)
        self.counts[kind] += 1
        self.log.records.clear()
        gc.collect() if kind == "attacks" else None
        before = self.peak.reset()
        if self.counts[kind] % 100 == 1 or kind == "attacks":  # each starts a thread
            faulthandler.dump_traceback_later(WALL_SECONDS, exit=True)
        signal.setitimer(signal.ITIMER_PROF, CPU_SECONDS)
        watch.events.clear()
        outcome, bytes_of_result, growth = "right", 0, 0
        try:
            watch.is_on = True
            found = reader.read(path)
            watch.is_on = False
            growth = self.peak.now() - before
            found = content(found)
            bytes_of_result = size_of(found)
            if right is not attacks.ANY and found != right:
                outcome = "another result" if right is attacks.REFUSED or reader.is_checked else "changed"
        except Refused:
            watch.is_on = False
            growth = self.peak.now() - before
            outcome = "refused"
        except Hang:
            outcome = "takes too long"
        except Exception as error:  # noqa: BLE001  # which classes are right is what the case asks
            watch.is_on = False
            growth = self.peak.now() - before
            outcome = "refused"
            errors = (*reader.errors, OSError, ValueError) if case in attacks.NO_FILES else reader.errors
            if not isinstance(error, errors):
                outcome = f"raises {type(error).__name__}: {error!s:.200}"
            elif reader.names_file and not reader.is_named(path, str(error)):
                outcome = f"does not name the file: {type(error).__name__}: {error!s:.200}"
            elif len(str(error)) > 5000:
                outcome = f"raises a message of {len(str(error))} characters"
        finally:
            watch.is_on = False
            signal.setitimer(signal.ITIMER_PROF, 0)
        size += UNPACKED.get(case, 0)
        multiple = 2 * MULTIPLE_OF_JSON if name in CONFIGURATIONS else MULTIPLE_OF_JSON if name in JSON else MULTIPLE
        if growth > ALLOWANCE + multiple * (size + bytes_of_result):
            outcome = f"takes {growth >> 20} MiB for a file of {size} bytes and a result of {bytes_of_result}"
        if size + bytes_of_result >= 1 << 20:
            part = "multiple" if multiple == MULTIPLE else "multiple of JSON"
            self.worst[part] = max(self.worst[part], growth / (size + bytes_of_result))
        self.worst["growth"] = max(self.worst["growth"], growth)
        if watch.events:
            outcome = f"does what a file must not: {watch.events[:3]}"
        if outcome in ("right", "refused", "changed"):
            self.counts[outcome] += 1
        else:
            self.failures.append(f"{name}, {case}: {outcome}")
            if path.is_file():
                shutil.copy(path, self.folder / f"failure-{len(self.failures)}-{path.name}")


def size_of(found: Any) -> int:
    """How many bytes the values of a result have, without Python's objects around them."""
    if isinstance(found, dict):
        return sum(size_of(key) + size_of(item) for key, item in found.items())
    if isinstance(found, (list, tuple)):
        return sum(map(size_of, found))
    return len(found) if isinstance(found, (str, bytes)) else 8


class Log(logging.Handler):
    """Keeps what is logged."""

    def __init__(self) -> None:
        super().__init__()
        self.records: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record.getMessage())


class Peak:
    """The greatest size of this process's memory."""

    def __init__(self) -> None:
        self._file = os.open("/proc/self/clear_refs", os.O_WRONLY)
        self._status = os.open("/proc/self/status", os.O_RDONLY)

    def reset(self) -> int:
        """Makes the greatest size so far that of now, and returns it."""
        os.pwrite(self._file, b"5", 0)
        return self.now()

    def now(self) -> int:
        """The greatest size since the reset. (`ru_maxrss` of a new process begins with the peak of its parent.)"""
        return int(os.pread(self._status, 1 << 14, 0).partition(b"VmHWM:")[2].split()[0]) << 10


def limit_address_space() -> None:
    with open("/proc/self/statm") as file:
        taken = int(file.read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (taken + ADDRESS_SPACE,) * 2)


def raise_hang(*_: Any) -> None:
    raise Hang


def main(folder: Path, task: dict[str, Any]) -> None:
    faulthandler.enable()
    warnings.simplefilter("ignore")
    signal.signal(signal.SIGPROF, raise_hang)
    (folder / "scratch").mkdir(exist_ok=True)
    tempfile.tempdir = str(folder / "scratch")
    worker, watch = Worker(folder), Watch(folder)
    for name in task["readers"]:  # what readers import and compile takes memory once
        place = folder / "scratch" / "first"
        place.mkdir()
        READERS[name].read(READERS[name].make(place))
        shutil.rmtree(place)
    limit_address_space()
    for name in task["readers"]:
        worker.run(name, task, watch)
    report = {"counts": worker.counts, "failures": worker.failures, "worst": worker.worst}
    faulthandler.cancel_dump_traceback_later()
    (folder / "report.json").write_text(json.dumps(report))


if __name__ == "__main__":
    main(Path(sys.argv[1]), json.loads(sys.argv[2]))
