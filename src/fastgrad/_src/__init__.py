"""The implementation of fastgrad. The public names are in the modules of `src/fastgrad/`."""
