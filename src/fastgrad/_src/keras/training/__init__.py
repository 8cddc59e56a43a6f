"""The training of models: compiled losses and metrics, batches, the loops of ``fit``, ``evaluate`` and ``predict``."""
