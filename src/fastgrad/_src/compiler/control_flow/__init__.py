"""Graphs as operations: branches, loops, and their gradients."""
