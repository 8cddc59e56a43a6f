"""Functions that are composed of operations, and that few programs call: each module is imported when a public name of it is asked for."""
