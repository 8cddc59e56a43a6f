"""Attention as launches: kernels, sizes and strides."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np

from fastgrad._src.kernels.attention.forward import attention
from fastgrad._src.kernels.attention.gradient import DK_DV_FLAG, DQ_FLAG, attention_gradient, row_products
from fastgrad._src.kernels.attention.tiles import TILE_KEYS, TILE_QUERIES
from fastgrad._src.kernels.runtime.launch import Constant, Input, Launch, Launches, Operand, Output, Scratch, Spec

PRODUCT_NANOSECONDS = 0.02  # about, for a multiplication and an addition
SCORE_EXPONENTIAL_NANOSECONDS = 0.4
LEAST_HEADS_TO_SHARE_AMONG_THREADS = 4  # heads, enough for threads to share

NO_MASK = Constant(np.ones(1, bool))
UNUSED_DROPOUT_WORDS = Constant(np.zeros(3, np.int64))


class _AttentionOperands:
    """The kernel operands that attention and its gradient share: mask, dropout words, and sizes of q, k and v."""

    def __init__(
        self,
        q: Spec,
        k: Spec,
        v: Spec,
        more: Sequence[Spec],
        at: int,
        scale: float,
        causal: bool,
        masked: bool,
        rate: float,
        blank: bool,
    ) -> None:
        self.batch, self.queries, self.heads, self.depth = q.shape
        _, self.keys, self.groups, self.width = v.shape
        self.mask: Operand = Input(at) if masked else NO_MASK
        self.words: Operand = Input(at + int(masked)) if rate > 0 else UNUSED_DROPOUT_WORDS
        strides = _broadcast_strides(more[0].shape) if masked else (0, 0, 0, 0)
        sizes = self.queries, self.keys, self.heads, self.heads // self.groups, self.depth, self.width
        self.numbers = (*sizes, float(scale), int(causal), int(masked), *strides, float(rate), int(blank))

    def nanoseconds(self, product_count: float, itemsize: int) -> float:
        """Returns about how many nanoseconds `product_count` products of a query with all keys take."""
        terms = (self.depth + self.width) / 2 * product_count
        return self.keys * (PRODUCT_NANOSECONDS * terms + SCORE_EXPONENTIAL_NANOSECONDS) * itemsize / 4


def _broadcast_strides(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Returns the strides in elements of a contiguous array of this shape; 0 for broadcast axes, of size 1."""
    return tuple([0 if n == 1 else prod(shape[axis + 1 :]) for axis, n in enumerate(shape)])


def attention_launches(inputs: Sequence[Spec], outputs: Sequence[Spec], **attributes: Any) -> Launches | None:
    """Returns attention's launches: for the result and each query's greatest score and 1 / sum of exponentials."""
    q, k, v, *more = inputs
    sizes = _AttentionOperands(q, k, v, more, 3, **attributes)
    arrays = Input(0), Input(1), Input(2), sizes.mask, sizes.words, Output(0), Output(1), Output(2)
    units = sizes.batch * sizes.heads * -(-sizes.queries // TILE_QUERIES)
    cost = min(TILE_QUERIES, sizes.queries) * sizes.nanoseconds(2, q.dtype.itemsize)
    return Launches((Launch(attention[q.dtype], (*arrays, *sizes.numbers), units, cost),))


def attention_gradient_launches(inputs: Sequence[Spec], outputs: Sequence[Spec], **attributes: Any) -> Launches | None:
    """Returns the launches for the cotangents of q, k and v, from the result's cotangent and residuals of attention."""
    _, _, _, _, q, k, v, *more = inputs
    sizes = _AttentionOperands(q, k, v, more, 7, **attributes)
    dtype, rows = q.dtype, sizes.batch * sizes.queries * sizes.heads
    deltas = Scratch(0)
    operands = Input(0), Input(1), deltas, sizes.queries, sizes.heads, sizes.width
    before = Launch(row_products[dtype], operands, rows, 0.3 * sizes.width)
    arrays = Input(0), Input(4), Input(5), Input(6), sizes.mask, sizes.words, Input(2), Input(3), deltas
    heads = sizes.batch * sizes.groups
    blocks = -(-sizes.queries // TILE_QUERIES), -(-sizes.keys // TILE_KEYS)
    ways = (
        [(DQ_FLAG | DK_DV_FLAG, 1, 5)]
        if heads >= LEAST_HEADS_TO_SHARE_AMONG_THREADS
        else [(DQ_FLAG, blocks[0], 3), (DK_DV_FLAG, blocks[1], 4)]
    )
    launches = [
        Launch(
            attention_gradient[dtype],
            (*arrays, Output(0), Output(1), Output(2), *sizes.numbers, wanted),
            heads * count,
            rows * sizes.nanoseconds(products, dtype.itemsize) / (heads * count),
        )
        for wanted, count, products in ways
    ]
    return Launches((before, *launches), scratch=((dtype, rows),))
