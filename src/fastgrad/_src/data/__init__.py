"""Pipelines that feed training."""
