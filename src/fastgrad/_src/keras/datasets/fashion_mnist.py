"""Fashion-MNIST: pictures of clothes (Xiao, Rasul, Vollgraf 2017)."""

from __future__ import annotations

import os

import numpy as np

from fastgrad._src.core.damaged_file import open_regular, parser_errors_as_one
from fastgrad._src.files.formats.decompression import decompressed
from fastgrad._src.keras.datasets.reading import TrainAndTestArrays
from fastgrad._src.keras.utils.files import get_file

_DOWNLOAD_URL = (
    "https://github.com/zalandoresearch/fashion-mnist/raw/master/data/fashion/"  # whose checksums are published
)
_MD5_BY_FILE_NAME = {
    "train-images-idx3-ubyte.gz": "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
    "train-labels-idx1-ubyte.gz": "25c81989df183df01b3e8a0aad5dffbe",
    "t10k-images-idx3-ubyte.gz": "bef4ecab320f06d8554ea6380940ec79",
    "t10k-labels-idx1-ubyte.gz": "bb300cfdad3c16e7a12a480ee83cd310",
}


def load_data() -> TrainAndTestArrays:
    """Returns ``(x_train, y_train), (x_test, y_test)``: 60,000 and 10,000 uint8 images of 28x28, and classes 0 to 9."""
    splits = []
    for split in ("train", "t10k"):
        images, labels = f"{split}-images-idx3-ubyte.gz", f"{split}-labels-idx1-ubyte.gz"
        splits.append((_decompressed_bytes(images, 16).reshape(-1, 28, 28), _decompressed_bytes(labels, 8)))
    return splits[0], splits[1]


def _decompressed_bytes(name: str, header: int) -> np.ndarray:
    folder = os.path.join("datasets", "fashion-mnist")
    path = get_file(name, _DOWNLOAD_URL + name, md5_hash=_MD5_BY_FILE_NAME[name], cache_subdir=folder)
    with open_regular(path) as file, parser_errors_as_one(path, "file of Fashion-MNIST"):
        return np.frombuffer(decompressed(file, "gzip").read(), np.uint8, offset=header)
