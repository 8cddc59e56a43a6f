"""The programming model: tensors, variables, the operation table, recorders, the tape and placement on devices."""
