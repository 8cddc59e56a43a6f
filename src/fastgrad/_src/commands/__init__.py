"""The command line: warming of the cache, names of a script, the checker of packages."""
