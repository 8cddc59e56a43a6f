"""Attention: softmax weights over keys, and weighted sums of values, without a matrix of all weights."""
