"""Collectives of MPI as steps of programs."""
