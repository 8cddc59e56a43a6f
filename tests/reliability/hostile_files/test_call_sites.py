"""Each place of the package that opens or parses a file has a reader among those that get hostile files, or reads none that others write."""

import ast
from pathlib import Path

import fastgrad

PACKAGE = Path(fastgrad.__file__).parent
CALLS = {
    *("open", "fdopen", "open_regular", "open_zip", "opened_tar", "decompressed", "read_bytes", "read_text", "ZipFile"),
    *("is_zipfile", "is_tarfile", "decompress", "decompressobj", "BZ2File", "LZMAFile", "GzipFile", "parse_json"),
    *("Unpickler", "literal_eval", "genfromtxt", "loadtxt", "fromfile", "memmap", "mmap", "File", "connect"),
    *("read_table", "read_csv", "read_magic", "csv.reader"),
    *(f"{module}.{name}" for module in ("json", "marshal", "np", "pickle") for name in ("load", "loads")),
}
"""Functions and classes that open or parse files; those without a dot whatever they are attributes of."""

OWN = "reads or writes what the package itself brings or makes"
SYSTEM = "reads what the system says"
READERS = {
    "cuda/building/compile.py": (1, OWN),
    "data/files.py": (3, "CSV"),
    "data/kept.py": (2, "dataset index"),
    "data/readers.py": (1, "pyarrow reads Parquet files"),
    "keras/callbacks/recording.py": (1, "log in CSV"),
    "keras/datasets/cifar.py": (3, "CIFAR"),
    "keras/datasets/fashion_mnist.py": (2, "Fashion-MNIST"),
    "keras/datasets/reading.py": (2, "npz of objects"),
    "keras/datasets/word_numbers.py": (2, "word numbers"),
    "keras/saving/keras_archive.py": (7, ".keras"),
    "keras/saving/legacy_h5.py": (2, ".h5"),
    "keras/saving/model_files.py": (2, "model in safetensors"),
    "keras/saving/objects.py": (1, ".keras"),
    "keras/training/fitting.py": (1, "checkpoint"),
    "keras/utils/files.py": (1, "a file is only hashed"),
    "keras/utils/images.py": (3, "PNG"),
    "keras/utils/text_dataset.py": (1, "texts of a folder"),
    "kernels/building/cache.py": (7, "kernel entry"),
    "kernels/building/store.py": (2, OWN),
    "kernels/running/processors.py": (4, SYSTEM),
    "kernels/running/spreading.py": (1, SYSTEM),
    "printing.py": (1, OWN),
    "storage/archive_extraction.py": (6, "tar.gz"),
    "storage/atomic_write.py": (5, OWN),
    "storage/damaged_file.py": (2, "safetensors"),
    "storage/decompression.py": (5, "lines in gzip"),
    "storage/hdf5_file.py": (4, ".weights.h5"),
    "storage/json_text.py": (1, "model in JSON"),
    "storage/tensor_file.py": (8, "npz"),
    "storage/zip_archive.py": (1, "zip"),
    "summary.py": (1, OWN),
    "train/checkpoint.py": (1, "checkpoint"),
    "train/checkpoint_state.py": (1, "checkpoint state"),
    "train/random_state.py": (1, "checkpoint"),
}
"""How many such calls a module has, and which reader of `readers.py` has them read hostile files, or why none does."""


def calls(path):
    """How many calls of a module have one of the names."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    functions = [node.func for node in ast.walk(tree) if isinstance(node, ast.Call)]
    return sum(ast.unparse(function) in CALLS or _last(function) in CALLS for function in functions)


def _last(function):
    return getattr(function, "attr", getattr(function, "id", ""))


def test_every_call_that_reads_a_file_has_a_reader():
    counts = {path.relative_to(PACKAGE).as_posix(): calls(path) for path in sorted(PACKAGE.rglob("*.py"))}
    assert {path: count for path, count in counts.items() if count} == {
        path: count for path, (count, _) in READERS.items()
    }, (
        "A module opens or parses files in another number of places than before. Give its reader hostile files in readers.py, then change the table."
    )
