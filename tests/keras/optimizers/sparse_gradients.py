"""Sparse gradients for the tests of optimizers."""

import numpy as np

import fastgrad as tf

ROWS, WIDTH = 21, 3
OPTIONS = [
    {},
    {"clipnorm": 0.5},
    {"global_clipnorm": 0.5},
    {"clipvalue": 0.25},
    {"weight_decay": 0.25},
    {"use_ema": True},
    {"gradient_accumulation_steps": 2},
    {"loss_scale_factor": 2.0},
]


def slices(ids, values, index_dtype=np.int64):
    return tf.IndexedSlices(tf.constant(values), tf.constant(np.array(ids, index_dtype)), tf.constant([ROWS, WIDTH]))


def draw(seed=0, steps=4):
    random = np.random.default_rng(seed)
    sizes = random.integers(0, 6, steps)
    return [(random.integers(0, ROWS, n), random.normal(size=(n, WIDTH))) for n in sizes]
