"""Attention: weights that are a softmax over keys, and what they make of values, without a matrix of all weights."""
