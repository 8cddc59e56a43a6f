"""Values on disk: named arrays in files, and the names of the variables that objects hold."""
