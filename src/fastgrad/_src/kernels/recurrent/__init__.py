"""Recurrent cells over time."""
