"""The code of derivatives as data, and its text."""
