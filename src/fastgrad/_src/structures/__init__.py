"""Values of several tensors: ragged and sparse tensors, tables, extension types; and strings."""
