"""Functions that are composed of operations, and that few programs call: the first use of a public name imports its module."""
