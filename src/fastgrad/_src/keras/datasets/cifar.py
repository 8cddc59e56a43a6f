"""The archives of CIFAR-10 and CIFAR-100 (Krizhevsky 2009): pickles in a tar archive, read without unpacking it."""

from __future__ import annotations

import numpy as np

from fastgrad._src.core.damaged_file import open_regular, parser_errors_as_one
from fastgrad._src.files.formats.archive_extraction import open_tar
from fastgrad._src.files.formats.decompression import decompressed
from fastgrad._src.keras.datasets.reading import unpickle_restricted
from fastgrad._src.keras.settings import image_data_format
from fastgrad._src.keras.utils.files import get_file


def read_batches(
    folder: str, file_hash: str, archive_name: str, member_names: list[str], label_key: str
) -> tuple[np.ndarray, np.ndarray]:
    """Returns images, and labels as a column, of some members of an archive.

    Args:
        folder: the folder in the archive; Keras keeps the archive as ``FOLDER-target_archive``.
        file_hash: the hash of the archive.
        archive_name: the name of the archive at its origin.
        member_names: the names of the members.
        label_key: the name of the labels in the members.
    """
    path = get_file(f"{folder}-target_archive", f"https://www.cs.toronto.edu/~kriz/{archive_name}", file_hash=file_hash)
    images, labels = [], []
    with open_regular(path) as file, parser_errors_as_one(path, "archive of CIFAR"):
        for archive in open_tar(decompressed(file, "gzip")):
            for name in member_names:
                member = archive.extractfile(f"{folder}/{name}")
                if member is None:
                    raise ValueError(f"it has no file {folder}/{name}")
                batch = unpickle_restricted(member.read(), encoding="bytes")
                images.append(batch[b"data"].reshape(-1, 3, 32, 32))
                labels.append(np.array(batch[label_key.encode()]).reshape(-1, 1))
    x = np.concatenate(images)
    return x.transpose(0, 2, 3, 1) if image_data_format() == "channels_last" else x, np.concatenate(labels)
