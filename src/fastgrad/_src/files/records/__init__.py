"""Records, examples and features in files."""
