"""What can be computed: one file a family, each operation declared once.

Importing this package imports every family, so that the operation table (``fastgrad._src.core.operation.TABLE``) is
whole whenever an operation is looked up by name.
"""

import importlib
import pkgutil

for _family in pkgutil.iter_modules(__path__):
    if not _family.ispkg:  # functions of `composed` are imported when a program asks for them
        importlib.import_module(f"{__name__}.{_family.name}")
