"""Arrays, records, checkpoints and saved models on disk."""

from fastgrad._src.core.hooks import Hook, register

register(Hook.OUTLINES, f"{__name__}.saved_model.function_recording")
