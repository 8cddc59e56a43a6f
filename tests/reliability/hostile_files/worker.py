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

from tests.reliability.hostile_files import attacks, attacks_on_data, attacks_on_models, damage  # noqa: F401
from tests.reliability.hostile_files.readers import READERS, Reader, Refused, content

CPU_SECONDS = 20
WALL_SECONDS = 400
ADDRESS_SPACE = 2 << 30
"""What a case may take of the address space, beyond what the process has before the first."""

ALLOWANCE = 24 << 20
MULTIPLE = 40
"""The memory that a case may take: ALLOWANCE, and MULTIPLE times the bytes of its file and of its result. Python's objects for JSON are 30 times its text."""

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
WRITING = (
    "os.mkdir",
    "os.remove",
    "os.rename",
    "os.rmdir",
    "os.link",
    "os.symlink",
    "os.chmod",
    "os.truncate",
    "shutil.rmtree",
)


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
        elif event in WRITING and isinstance(arguments[0], (str, bytes)):
            path = os.fsdecode(arguments[-1] if event == "os.symlink" else arguments[0])
            if os.path.isabs(path) and not self._may_write(path):
                self.events.append(f"{event} {path}")

    def _is_inside(self, path: str) -> bool:
        return os.path.realpath(path).startswith(self.folder)

    def _may_write(self, path: str) -> bool:
        return self._is_inside(path) or path == os.devnull or path.startswith("/proc/self/") or "__pycache__" in path


class Worker:
    """Runs cases, and counts what came of them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.counts: Counter[str] = Counter()
        self.failures: list[str] = []
        self.worst = {"multiple": 0.0, "growth": 0}
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
        outcome, bytes_of_result = "right", 0
        try:
            watch.is_on = True
            found = reader.read(path)
            watch.is_on = False
            found = content(found)
            bytes_of_result = len(repr(found)) if right is attacks.ANY else 0
            if right is not attacks.ANY and found != right:
                outcome = "another result" if right is attacks.REFUSED or reader.is_checked else "changed"
        except Refused:
            outcome = "refused"
        except Hang:
            outcome = "takes too long"
        except Exception as error:  # noqa: BLE001  # which classes are right is what the case asks
            watch.is_on = False
            outcome = "refused"
            errors = (*reader.errors, OSError) if case in attacks.NO_FILES else reader.errors
            if not isinstance(error, errors):
                outcome = f"raises {type(error).__name__}: {error!s:.200}"
            elif reader.names_file and path.name not in str(error) and path.parent.name not in str(error):
                outcome = f"does not name the file: {type(error).__name__}: {error!s:.200}"
            elif len(str(error)) > 5000:
                outcome = f"raises a message of {len(str(error))} characters"
        finally:
            watch.is_on = False
            signal.setitimer(signal.ITIMER_PROF, 0)
        growth = self.peak.now() - before
        if growth > ALLOWANCE + MULTIPLE * (size + bytes_of_result):
            outcome = f"takes {growth >> 20} MiB for a file of {size} bytes"
        if size + bytes_of_result >= 1 << 20:
            self.worst["multiple"] = max(self.worst["multiple"], growth / (size + bytes_of_result))
        self.worst["growth"] = max(self.worst["growth"], growth)
        if watch.events:
            outcome = f"does what a file must not: {watch.events[:3]}"
        if outcome in ("right", "refused", "changed"):
            self.counts[outcome] += 1
        else:
            self.failures.append(f"{name}, {case}: {outcome}")
            if path.is_file():
                shutil.copy(path, self.folder / f"failure-{len(self.failures)}-{path.name}")


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

    def reset(self) -> int:
        """Makes the greatest size so far that of now, and returns it."""
        os.pwrite(self._file, b"5", 0)
        return self.now()

    def now(self) -> int:
        """The greatest size since the reset."""
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


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
