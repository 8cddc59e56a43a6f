"""Each place of the package that opens or parses a file has a reader among those that get hostile files, or reads none that others write."""

import ast
import importlib.util
import sys
import threading
from collections import defaultdict
from pathlib import Path

import pytest

import fastgrad

PACKAGE = Path(fastgrad.__file__).parent / "_src"
CALLS = {
    *(
        "open",
        "fdopen",
        "open_regular",
        "open_zip",
        "open_tar",
        "decompressed",
        "read_bytes",
        "read_text",
        "read_json_member",
    ),
    "ZipFile",
    *("is_zipfile", "is_tarfile", "decompress", "decompressobj", "BZ2File", "LZMAFile", "GzipFile", "parse_json"),
    *("Unpickler", "literal_eval", "genfromtxt", "loadtxt", "fromfile", "memmap", "mmap", "File", "connect"),
    *("read_table", "read_csv", "read_magic", "csv.reader"),
    *(f"{module}.{name}" for module in ("json", "marshal", "np", "pickle") for name in ("load", "loads")),
}
"""Functions and classes that open or parse files; those without a dot whatever they are attributes of."""

OWN = "reads or writes what the package itself brings or makes"
SYSTEM = "reads what the system says"
JOB = "reads what other processes of the same job send or write"
NO_FILE = "calls a function of the same name that reads no file"
ASKED = "runs code of a file only where the caller asks for it, by `safe_mode=False`"
READERS = {
    "core/malloc_tuning.py": (2, SYSTEM),
    "cuda/codegen/compile.py": (1, OWN),
    "data/files.py": (3, "CSV"),
    "data/cache.py": (2, "dataset index"),
    "data/readers.py": (1, "Parquet"),
    "commands/command_line.py": (1, SYSTEM),
    "commands/differentiate.py": (4, OWN),
    "commands/environment_report.py": (1, SYSTEM),
    "jit/dispatcher_cache.py": (2, "derivative"),
    "distribute/horovod.py": (1, NO_FILE),
    "image/codecs.py": (1, "contents of a JPEG"),
    "files/records/files.py": (1, "contents of a JPEG"),
    "files/records/gfile.py": (1, "GFile"),
    "files/records/record_writer.py": (1, OWN),
    "files/records/string_tensors.py": (1, "compressed text"),
    "keras/callbacks/logs_and_schedules.py": (1, "log in CSV"),
    "keras/datasets/cifar.py": (3, "CIFAR"),
    "keras/datasets/fashion_mnist.py": (2, "Fashion-MNIST"),
    "keras/datasets/reading.py": (2, "npz of objects"),
    "keras/datasets/word_numbers.py": (2, "word numbers"),
    "keras/saving/assets.py": (1, OWN),
    "keras/saving/keras_archive.py": (7, ".keras"),
    "keras/saving/legacy_h5.py": (2, ".h5"),
    "keras/saving/model_files.py": (2, "model in safetensors"),
    "keras/saving/objects.py": (1, ASKED),
    "keras/training/running_fit.py": (1, "backup of fit"),
    "keras/utils/files.py": (1, "a file is only hashed"),
    "keras/utils/images.py": (1, "PNG"),
    "keras/utils/text_dataset.py": (1, "texts of a folder"),
    "jit/cache.py": (7, "kernel entry"),
    "jit/compile_ahead.py": (2, OWN),
    "jit/frontend.py": (1, OWN),
    "jit/object_code.py": (1, JOB),
    "jit/processors.py": (1, SYSTEM),
    "jit/source_files.py": (1, OWN),
    "jit/store.py": (1, OWN),
    "kernels/collectives/agreement.py": (1, JOB),
    "kernels/collectives/start.py": (2, JOB),
    "kernels/runtime/thread_spreading.py": (1, SYSTEM),
    "structures/lookup/initializers.py": (1, "vocabulary"),
    "core/peer_names.py": (3, OWN),
    "core/printing.py": (1, OWN),
    "ops/replica_messages.py": (2, JOB),
    "files/saved_model/loading.py": (1, "saved model"),
    "compat/tensorflow_models/objects.py": (1, "TensorFlow's saved model"),
    "files/checkpoints/tensor_bundle.py": (2, "TensorFlow's checkpoint"),
    "files/formats/archive_extraction.py": (6, "tar.gz"),
    "files/formats/atomic_write.py": (5, OWN),
    "core/damaged_file.py": (2, "safetensors"),
    "files/formats/decompression.py": (5, "lines in gzip"),
    "files/formats/hdf5_file.py": (4, ".weights.h5"),
    "commands/script_names.py": (2, "notebook"),
    "files/formats/image_file.py": (2, "PNG"),
    "files/formats/json_text.py": (1, "model in JSON"),
    "files/formats/sound_file.py": (2, "sound"),
    "files/formats/tensor_file.py": (9, "npz"),
    "files/formats/zip_archive.py": (1, "zip"),
    "summary/writers.py": (1, OWN),
    "files/checkpoints/checkpoint.py": (1, "checkpoint"),
    "files/checkpoints/checkpoint_state.py": (1, "checkpoint state"),
    "files/checkpoints/random_state.py": (1, "checkpoint"),
}
"""How many such calls a module has, and which reader of `readers.py` has them read hostile files, or why none does."""

NO_VALID_FILE = {
    "keras/saving/keras_archive.py": ['zipfile.ZipFile(file, "w")'],
    "jit/cache.py": [
        "sqlite3.connect(path)",
        "open(os.path.join(folder, name)",
        'os.fdopen(handle, "wb")',
    ],
    "files/formats/decompression.py": ["zlib.decompressobj(self._window)"],
    "files/formats/hdf5_file.py": ['File(target, "w")'],
    "files/formats/sound_file.py": ['wave.open(file, "wb")'],
    "files/formats/tensor_file.py": ['zipfile.ZipFile(file, "w"', 'archive.open(name + ".npy", "w"'],
}
"""Calls that no valid file reaches, by parts of their lines: they write, read on Windows, read the package's own files, or read the second stream of `attacks_on_data.py`."""


def calls(path):
    """The calls of a module that have one of the names."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    nodes = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    return [node for node in nodes if ast.unparse(node.func) in CALLS or _last(node.func) in CALLS]


def _last(function):
    return getattr(function, "attr", getattr(function, "id", ""))


@pytest.mark.completeness
def test_every_call_that_reads_a_file_has_a_reader():
    counts = {path.relative_to(PACKAGE).as_posix(): len(calls(path)) for path in sorted(PACKAGE.rglob("*.py"))}
    assert {path: count for path, count in counts.items() if count} == {
        path: count for path, (count, _) in READERS.items()
    }, (
        "A module opens or parses files in another number of places than before. Give its reader hostile files in readers.py, then change the table."
    )


@pytest.fixture
def readers(monkeypatch):
    """The readers; what they change of the process is restored."""
    pytest.importorskip("PIL")
    pytest.importorskip("h5py")
    from fastgrad._src.jit import cache
    from tests.reliability.hostile_files import readers as module

    monkeypatch.setenv("FASTGRAD_CACHE_DIR", cache.cache_folder() or "")
    monkeypatch.setattr(cache, "INSTALLED_FOLDER", cache.INSTALLED_FOLDER)
    random = fastgrad.train.RandomState()
    state = random.state()
    yield dict(module.READERS)
    random.restore(state)
    cache.close_installed()


def lines_entered(function, files):
    """The lines of some files that a call enters, also in other threads."""
    entered = defaultdict(set)

    def trace(frame, event, argument):
        if frame.f_code.co_filename not in files:
            return None
        entered[frame.f_code.co_filename].add(frame.f_lineno)
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    threading.settrace(trace)
    try:
        function()
    finally:
        sys.settrace(before)
        threading.settrace(before)
    return entered


def test_every_call_that_reads_a_file_is_reached_by_a_valid_file(readers, tmp_path):
    """The reader that the table names enters the module, and all readers together every call of it but those that write."""
    if importlib.util.find_spec("pyarrow") is None:
        del readers["Parquet"]
    modules = {module: reader for module, (_, reader) in READERS.items() if reader in readers}
    files = {str(PACKAGE / module) for module in modules}
    entered = {}
    for name, reader in readers.items():
        folder = tmp_path / name.replace("/", "")
        folder.mkdir()
        path = reader.make(folder)
        entered[name] = lines_entered(lambda reader=reader, path=path: reader.read(path), files)
    missed = []
    for module, reader in modules.items():
        file = str(PACKAGE / module)
        lines = {call.lineno: set(range(call.lineno, call.end_lineno + 1)) for call in calls(PACKAGE / module)}
        if not any(entered[reader][file] & span for span in lines.values()):
            missed.append(f"{module}: {reader} enters none of its calls")
        every = set().union(*(lines_of[file] for lines_of in entered.values()))
        source = (PACKAGE / module).read_text(encoding="utf-8").splitlines()
        for line, span in lines.items():
            text = source[line - 1].strip()
            if not every & span and not any(part in text for part in NO_VALID_FILE.get(module, ())):
                missed.append(f"{module}:{line}: {text}")
    assert not missed, "\n".join(missed)
