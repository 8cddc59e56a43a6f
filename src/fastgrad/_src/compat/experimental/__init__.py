"""Experimental namespaces."""
