"""The whole operation table: rows are in it once the modules that declare them are imported, which names do when they are asked for."""

from fastgrad._src.files.saved_model.stored_graph import import_lazy_operations


def load() -> None:
    """Imports all modules that declare rows."""
    import_lazy_operations()
