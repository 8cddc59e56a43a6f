"""Storage on disk: files of named arrays, and the graph that names the variables of objects."""
