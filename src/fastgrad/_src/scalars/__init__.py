"""The table of scalar functions: their terms and properties."""

from fastgrad._src.scalars import terms as terms  # fills the table of operators, which formulas need
