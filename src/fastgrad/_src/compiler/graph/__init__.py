"""The graph of a recording, and its interpreter."""
