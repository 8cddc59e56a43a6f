"""The table of scalar functions: their terms and what is known of each."""

from fastgrad._src.scalars import terms as terms  # fills the table of operators, which formulas need
