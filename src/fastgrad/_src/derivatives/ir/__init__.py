"""The intermediate representation, and the terms of its scalar operations."""
