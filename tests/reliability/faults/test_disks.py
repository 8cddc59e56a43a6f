"""Full disks, disks that can only be read, limits on files, and no home folder."""

import functools
import os
import subprocess

import pytest

from tests.reliability.faults import disks, victims, writers

pytestmark = pytest.mark.skipif(os.name != "posix", reason="limits on files and mounts are POSIX")


@functools.cache
def has_namespaces():
    try:
        return subprocess.run([*disks.namespace(), "true"], capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        return False


def namespace():
    if not has_namespaces():
        pytest.skip("mounting a disk is not allowed here; the limit on files stands for it")
    return disks.namespace()


def failures(function, folder, *arguments, **options):
    """How many writes failed, by kind."""
    failed = writers.counts(
        victims.run("writers", "each", "disks", function, folder, *arguments, timeout=600, **options)
    )
    assert len(failed) == len(writers.KINDS)
    return failed.values()


def test_files_that_may_not_grow(tmp_path, full, figure):
    tries = 30 if full else 3
    failed = failures("cut_short", str(tmp_path), tries)
    assert min(failed) >= tries // 2
    figure("writes beyond a limit on files", sum(failed))


def test_no_bytecode_is_cut_short_by_a_limit_on_files(tmp_path):
    victims.run("disks", "import_within_limit", str(tmp_path), PYTHONDONTWRITEBYTECODE=None)
    assert [path.name for path in tmp_path.iterdir()] == ["imported_within_limit.py"]


def test_full_disks(full, figure):
    tries = 30 if full else 3
    failed = failures("full", disks.DISK, tries, wrapper=namespace())
    assert min(failed) >= tries // 2
    figure("writes to a full disk", sum(failed))


def test_disks_that_can_only_be_read(figure):
    figure("writes to a read-only disk", sum(failures("read_only", disks.DISK, wrapper=namespace())))


@pytest.mark.parametrize("place", ["full disk", "read-only disk"])
def test_kernels_are_compiled_where_the_cache_has_no_room(place, figure):
    victims.run("disks", "compile_without", place, wrapper=namespace(), FASTGRAD_CACHE_DIR=disks.DISK)
    figure("steps compiled without a cache folder", 1)


@pytest.mark.parametrize(
    ("place", "variables"),
    [
        ("no entry for the user", {"HOME": None}),
        ("missing home", {"HOME": "/dev/null/home"}),
        ("file", {"FASTGRAD_CACHE_DIR": __file__}),
    ],
)
def test_kernels_are_compiled_without_a_home(place, variables, figure):
    folders = dict.fromkeys(("FASTGRAD_CACHE_DIR", "XDG_CACHE_HOME"))
    victims.run("disks", "compile_without", place, **{**folders, **variables})
    figure("steps compiled without a cache folder", 1)
