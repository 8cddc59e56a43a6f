"""Fourier transforms, windows, frames and sound."""
