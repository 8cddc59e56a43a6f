"""Keys of code on disk have the source files that the code follows from."""

import ast
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import fastgrad
from fastgrad._src.jit.dispatcher_cache import ORIGINS
from fastgrad._src.jit.source_files import imported_names, source_files

PACKAGE = Path(fastgrad.__file__).parent
BUILDER = ("fastgrad._src.jit",)

DIGESTS = """
import os, sys, types
from pathlib import Path
folder = Path(sys.argv[1])
package = types.ModuleType("fastgrad")
package.__path__ = [str(folder)]
sys.modules["fastgrad"] = package  # the copies are read, not run
from fastgrad._src.jit.source_files import remembered_sources_key, source_digest, source_files, sources_key
before, key = source_digest(source_files(*sys.argv[3:])), sources_key(*sys.argv[3:])
assert key == before == remembered_sources_key(*sys.argv[3:]) == remembered_sources_key(*sys.argv[3:])
for name in sys.argv[2].split():
    path = folder / name
    source = path.read_bytes()
    path.write_bytes(source + b"# another line\\n")
    print(name, source_digest(source_files(*sys.argv[3:])) != before)
    path.write_bytes(source)
assert source_digest(source_files(*sys.argv[3:])) == before
assert str(os.getpid()) in sources_key(*sys.argv[3:]) == remembered_sources_key(*sys.argv[3:])  # what this process has imported may differ
"""


def keys_that_change(folder, names, origins):
    """Returns whether one line more in each of some files of a copy gives another digest."""
    copy = folder / "fastgrad"
    shutil.copytree(PACKAGE, copy, ignore=shutil.ignore_patterns("__pycache__"))
    command = [sys.executable, "-c", DIGESTS, str(copy), " ".join(names), *origins]
    output = subprocess.check_output(command, text=True, timeout=600, env={**os.environ, "PYTHONPATH": ""})
    return {name: answer == "True" for name, answer in (line.split() for line in output.splitlines())}


@pytest.mark.parametrize(
    ("origins", "others"),
    [
        (ORIGINS, ["_src/keras/losses/loss.py", "_src/data/dataset.py", "_src/custom_operations/elementwise.py"]),
        (BUILDER, ["_src/kernels/math/circular.py", "_src/scalars/terms.py", "_src/derivatives/outlined_functions.py"]),
    ],
    ids=["derivatives", "kernels"],
)
def test_a_line_in_each_package_that_takes_part_changes_the_digest(tmp_path, origins, others):
    one_of_each = {name.rpartition("/")[0] or name: name for name in sorted(source_files(*origins))}
    answers = keys_that_change(tmp_path, [*one_of_each.values(), *others], origins)
    assert answers == {name: name not in others for name in (*one_of_each.values(), *others)}


def modules_imported_by(path):
    """Returns the modules of fastgrad that a source imports, which its syntax tree tells."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.partition(".")[0] == "fastgrad")
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} has a relative import"
            if (node.module or "").partition(".")[0] == "fastgrad":
                yield node.module
                yield from (
                    f"{node.module}.{alias.name}"
                    for alias in node.names
                    if node.module in ("fastgrad", "fastgrad._src")
                )


@pytest.mark.parametrize("origins", [ORIGINS, BUILDER], ids=["derivatives", "kernels"])
def test_each_import_of_a_source_file_leads_to_source_files(origins):
    files = source_files(*origins)
    for name, source in files.items():
        imported = set(modules_imported_by(PACKAGE / name))
        assert imported <= {*imported_names(source), "fastgrad"}, name
        for module in imported:
            path = module.replace(".", "/").removeprefix("fastgrad/")
            candidates = [f"{path}.py", f"{path}/__init__.py"]
            if any((PACKAGE / each).is_file() for each in candidates):
                assert set(candidates) & set(files), f"{name} imports {module}"


REMEMBERED = """
import sys, types
package = types.ModuleType("fastgrad")
package.__path__ = [sys.argv[1]]
sys.modules["fastgrad"] = package
from fastgrad._src.jit import source_files
before = source_files.source_files
calls = []
source_files.source_files = lambda *packages: calls.append(packages) or before(*packages)
print(source_files.remembered_sources_key(*sys.argv[2:]), len(calls))
"""


def test_files_are_read_again_only_after_a_change(tmp_path):
    copy = tmp_path / "fastgrad"
    shutil.copytree(PACKAGE, copy, ignore=shutil.ignore_patterns("__pycache__"))
    environment = {
        **os.environ,
        "PYTHONPATH": "",
        "FASTGRAD_CACHE_DIR": str(tmp_path / "cache"),
        "PYTHONDONTWRITEBYTECODE": "1",
    }

    def key_and_reads():
        command = [sys.executable, "-c", REMEMBERED, str(copy), *ORIGINS]
        return subprocess.check_output(command, text=True, timeout=600, env=environment).split()

    first, reads = key_and_reads()
    assert (reads, key_and_reads()) == ("1", [first, "0"])
    with open(copy / "_src/jit/cache.py", "a", encoding="utf-8") as file:
        file.write("# another line\n")
    second, reads = key_and_reads()
    assert (second != first, reads, key_and_reads()) == (True, "1", [second, "0"])
    (copy / "_src/jit/another.py").write_text("")
    third, reads = key_and_reads()
    assert (third != second, reads) == (True, "1")
