"""What the worker sees of a case: its memory, the calls that a file must not cause, the name of the file in an error."""

import json
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

pytest.importorskip("PIL")
pytest.importorskip("h5py")

from tests.reliability.hostile_files import damage, worker  # they import the two above
from tests.reliability.hostile_files.readers import READERS

ROOT = Path(__file__).parents[3]


def said_by(program, *arguments):
    """What a program prints as JSON, in a process of its own: an audit hook cannot be taken away."""
    command = [sys.executable, "-c", program, *map(str, arguments)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


WATCHED = """
import json, os, shutil, socket, subprocess, sys, tempfile
from pathlib import Path
from tests.reliability.hostile_files.worker import Watch
folder, outside = Path(sys.argv[1]), Path(sys.argv[2])
watch, names = Watch(folder), {}
def events(name, function):
    watch.events.clear()
    watch.is_on = True
    try:
        function()
    except OSError:
        pass
    finally:
        watch.is_on = False
    names[name] = [event.split("(")[0].split(" ")[0] for event in watch.events]
os.chdir(outside)
descriptor = os.open(outside, os.O_RDONLY)
events("relative folder", lambda: os.mkdir("executed"))
events("folder of a descriptor", lambda: os.mkdir("other", dir_fd=descriptor))
events("relative file", lambda: open("made", "w").close())
events("rename out", lambda: os.rename(folder / "a", "a"))
events("rename in", lambda: os.rename("made", folder / "made"))
events("link", lambda: os.link(folder / "b", "b"))
events("symbolic link", lambda: os.symlink(folder / "b", "c"))
events("remove", lambda: os.remove("c"))
events("tree", lambda: shutil.rmtree("executed"))
events("beside", lambda: os.mkdir(str(folder) + "-beside"))
events("program", lambda: os.system("true"))
events("connection", lambda: socket.create_connection(("127.0.0.1", 1)))
os.chdir(folder)
events("inside", lambda: (os.mkdir("d"), os.symlink("/etc", "e"), os.rename("d", "f"), shutil.rmtree("f"), open("g", "w").close()))
print(json.dumps(names))
"""


def test_the_watch_sees_what_a_file_must_not_cause(tmp_path):
    folder, outside = tmp_path / "folder", tmp_path / "outside"
    for path in (folder, outside):
        path.mkdir()
    for name in "ab":
        (folder / name).write_text("")
    names = said_by(WATCHED, folder, outside)
    assert names.pop("inside") == []
    assert {name: events[0] for name, events in names.items() if events} == {
        "relative folder": "os.mkdir",
        "folder of a descriptor": "os.mkdir",
        "relative file": "write",
        "rename out": "os.rename",
        "rename in": "os.rename",
        "link": "os.link",
        "symbolic link": "os.symlink",
        "remove": "os.remove",
        "tree": "shutil.rmtree",
        "beside": "os.mkdir",
        "program": "os.system",
        "connection": "socket.connect",
    }
    assert all(names.values()), names


MEASURED = """
import json, subprocess, sys
if sys.argv[1] == "parent":
    memory = bytearray(300 << 20)
    memory[::4096] = b"x" * len(memory[::4096])
    sys.exit(subprocess.call([sys.executable, "-c", sys.argv[2], "child"]))
from tests.reliability.hostile_files.worker import Peak
peak = Peak()
before = peak.reset()
memory = bytearray(100 << 20)
memory[::4096] = b"x" * len(memory[::4096])
first = peak.now() - before
del memory
print(json.dumps([first, peak.now() - before, peak.reset() - before]))
"""


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="reads Linux's account of a process's memory")
def test_memory_below_the_peak_of_the_parent_is_measured():
    first, kept, after = said_by(MEASURED, "parent", MEASURED)
    assert 100 << 20 <= first <= 110 << 20
    assert abs(kept - first) < 1 << 20
    assert after < 10 << 20


def test_the_name_of_a_folder_is_not_that_of_a_file(tmp_path):
    path = tmp_path / "inside" / "a.npz"
    assert not READERS["npz"].is_named(path, "there is nothing inside")
    assert not READERS["npz"].is_named(path, f"{path.parent} has a damaged file")
    assert READERS["npz"].is_named(path, f"'{path}' is damaged")
    assert READERS["dataset index"].is_named(path, f"{path.parent} has a damaged file")
    assert not READERS["dataset index"].is_named(path, "there is nothing inside")
    assert READERS["zip"].is_named(path, "a.npz is damaged")


def test_the_size_of_a_result_is_that_of_its_values():
    assert worker.size_of({"x": [("float32", (2,), bytes(1000))], "y": "text"}) == 1 + 7 + 8 + 1000 + 1 + 4


def test_each_bit_of_the_headers_of_an_archive_is_flipped(tmp_path):
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("one", bytes(1000))
        archive.writestr("two", bytes(1000))
    data = path.read_bytes()
    places = damage.zip_headers(data)
    assert places == set(range(len(data))) - set(range(33, 1033)) - set(range(1066, 2066))
    flipped = [changed for _, changed in damage.flipped(data, 5, 1 << 30)]
    assert len(set(flipped)) == len(flipped) == 8 * len(places)
    assert damage.zip_headers(b"lines") == set()
