"""One eager run, written down."""
