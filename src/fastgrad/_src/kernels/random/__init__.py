"""Random numbers, and draws computed from them."""
