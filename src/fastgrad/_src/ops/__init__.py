"""The operations: one file for each family; each operation is declared once.

Importing this package imports every family, so the operation table (``fastgrad._src.core.operation.TABLE``) is
complete whenever an operation is looked up by name.
"""

import importlib
import pkgutil

for _family in pkgutil.iter_modules(__path__):
    if not _family.ispkg:  # functions of `composed` are imported when a program asks for them
        importlib.import_module(f"{__name__}.{_family.name}")
