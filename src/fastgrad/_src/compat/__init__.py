"""Names of other versions of TensorFlow, and names that few programs use. Nothing else imports this package."""

from fastgrad._src.core.hooks import Hook, register

register(Hook.TENSORFLOW_MODELS, f"{__name__}.tensorflow_models.objects")
