"""Arrays, records, checkpoints and saved models on disk."""
