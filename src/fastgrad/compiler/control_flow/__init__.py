"""Graphs as operations: branches, loops, and the gradients of them."""
