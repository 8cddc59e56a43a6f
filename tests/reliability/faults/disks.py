"""Disks that are full or can only be read. Run by ``test_disks.py``; ``namespace`` gives a victim a small disk of its own."""

from __future__ import annotations

import contextlib
import errno
import importlib
import os
import random
import resource
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from tests.reliability.faults.writers import KINDS

DISK = "/mnt"
SIZE = 3 << 20


def namespace() -> tuple[str, ...]:
    """The command that gives another one a disk of three megabytes at ``DISK``, which no other process sees."""
    script = f'mount -t tmpfs -o size={SIZE},nr_inodes=60 none {DISK} && exec "$@"'
    return ("unshare", "--mount", "--map-root-user", "sh", "-c", script, "sh")


def refused(writer: Any, number: int, errors: tuple[int, ...]) -> bool:
    """Whether the write fails, with one of these errors and the state left as it was."""
    before, failure = writer.number(), None
    try:
        writer.write(number)
    except OSError as error:
        failure = error
    after = writer.number()
    if failure is None:
        assert after == number
        return False
    assert failure.errno in errors, repr(failure)
    assert after in ((before, number) if writer.grows else (before,))
    return True


@contextlib.contextmanager
def limited(size: int) -> Iterator[None]:
    """Files may have ``size`` bytes at most.

    Modules that are imported meanwhile are not kept as bytecode. Python 3.11 keeps bytecode that a limit has cut short, and later
    imports fail with it (https://github.com/python/cpython/issues/126606).
    """
    hard, kept = resource.getrlimit(resource.RLIMIT_FSIZE)[1], sys.dont_write_bytecode
    sys.dont_write_bytecode = True
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
        sys.dont_write_bytecode = kept


def import_within_limit(folder: str) -> None:
    """Imports a module whose bytecode is longer than files may be."""
    Path(folder, "imported_within_limit.py").write_text("values = " + repr(list(map(str, range(500)))))
    sys.path.insert(0, folder)
    with limited(100):
        assert importlib.import_module("imported_within_limit").values[-1] == "499"


def cut_short(kind: str, folder: str, tries: int) -> int:
    """Writes with a limit on the size of files, as many bytes as the state has at most; returns how many writes failed."""
    writer, numbers = KINDS[kind](folder), random.Random(kind)
    writer.write(0)
    largest = max(path.stat().st_size for path in Path(folder).rglob("*") if path.is_file())
    failed = 0
    for number in range(1, tries + 1):
        with limited(numbers.randrange(largest)):
            failed += refused(writer, number, (errno.EFBIG,))
        assert not list(Path(folder).rglob("*partial*")), list(Path(folder).rglob("*"))
    writer.write(tries + 1)
    assert writer.number() == tries + 1
    return failed


def full(kind: str, folder: str, tries: int) -> int:
    """Writes to a disk with little room, from none to as much as the state takes; returns how many writes failed."""
    writer, numbers, filler = KINDS[kind](folder), random.Random(kind), Path(DISK) / "filler"
    writer.write(0)
    largest = max(path.stat().st_size for path in Path(folder).rglob("*") if path.is_file())
    failed = 0
    for number in range(1, tries + 1):
        room = numbers.randrange(largest) if number > 1 else 0
        status = os.statvfs(DISK)
        with open(filler, "wb") as file:
            file.truncate(0)
            os.posix_fallocate(file.fileno(), 0, max(status.f_bavail * status.f_frsize - room, 1))
        if number % 3 == 2:  # no file can be made
            others = [Path(DISK) / f"file-{i}" for i in range(os.statvfs(DISK).f_favail)]
            for other in others:
                other.touch()
        else:
            others = []
        failed += refused(writer, number, (errno.ENOSPC,))
        for path in [filler, *others]:
            path.unlink()
    writer.write(tries + 1)
    assert writer.number() == tries + 1
    return failed


def read_only(kind: str, folder: str) -> int:
    """Writes to a disk that can only be read, which reads then go on from."""
    writer = KINDS[kind](folder)
    writer.write(0)
    subprocess.run(["mount", "-o", "remount,ro", DISK], check=True)
    assert refused(writer, 1, (errno.EROFS,))
    subprocess.run(["mount", "-o", "remount,rw", DISK], check=True)
    writer.write(1)
    assert writer.number() == 1
    return 1


def train() -> None:
    """Runs a small compiled step, and checks its numbers."""
    import fastgrad as tf

    variable, value = tf.Variable([1.0, 2.0, 3.0]), np.array([1.0, 2.0, 3.0])

    @tf.function
    def step(x: Any) -> Any:
        variable.assign(variable * 0.5 + x)
        return tf.reduce_sum(tf.square(variable))

    for i in range(4):
        value = value * 0.5 + i
        assert float(step(tf.constant(float(i)))) == np.square(value).sum()


def compile_without(place: str) -> None:
    """Compiles and runs a step where kernels cannot be kept; the numbers are right, and one line says so."""
    import io

    from fastgrad._src.jit import cache

    if place == "full disk":
        Path(DISK, "filler").write_bytes(b"x" * (os.statvfs(DISK).f_bavail * os.statvfs(DISK).f_frsize))
    elif place == "read-only disk":
        subprocess.run(["mount", "-o", "remount,ro", DISK], check=True)
    elif place == "no entry for the user":
        import pwd

        os.environ.pop("HOME", None)

        def return_call_changed(number: int) -> Any:
            raise KeyError(number)

        pwd.getpwuid = return_call_changed
    printed = io.StringIO()
    with contextlib.redirect_stderr(printed):
        train()
    lines = printed.getvalue().splitlines()
    assert len(lines) == 1, lines
    assert lines[0].startswith("fastgrad: cannot use the kernel cache ("), lines
    assert cache.count_and_bytes() == (0, 0)
