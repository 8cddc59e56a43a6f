"""A loss of label sequences without alignment: connectionist temporal classification."""

from __future__ import annotations

from typing import Any

from fastgrad._src.core import dtypes
from fastgrad._src.core.argument_checks import check_rank
from fastgrad._src.core.tensor import Tensor
from fastgrad._src.keras.losses.loss import NamedLoss, as_tensor
from fastgrad._src.ops import namespace as ops
from fastgrad._src.structures.sparse.label_sequences import ctc_path_loss


def ctc(y_true: Any, y_pred: Any) -> Tensor:
    """The negative logarithm of the total probability of all paths that give the labels (Graves et al., 2006).

    A path is a class per step. Its labels are the classes without repetitions, and then without class 0, the blank.

    Args:
        y_true: class numbers from 1 on, shape (batch, labels); shorter rows are padded with 0. The number of labels is the
            number of elements that are not 0; the labels are counted from the left.
        y_pred: logits, shape (batch, steps, classes).

    Returns:
        One loss per sample, infinite if there are too few steps for the labels.

    Raises:
        ValueError: other ranks.
        InvalidArgumentError: a label is outside the classes.
    """
    labels, logits = as_tensor(y_true, dtypes.int32), as_tensor(y_pred, None)
    check_rank("CTC", 2, y_true=labels)
    check_rank("CTC", 3, y_pred=logits)
    logits = ops.cast(logits, dtypes.float32) if logits.dtype.size < 4 else logits
    length = ops.count_nonzero(labels, -1, dtype=dtypes.int32)
    return ctc_path_loss(labels, ops.transpose(logits, (1, 0, 2)), length, None, 0)


class CTC(NamedLoss, function=ctc):
    """The loss ``ctc``, reduced; arguments are those of the function and of ``Loss``."""

    _keeps_integer_labels = True
