"""The table of scalar functions: their terms and what is known of each."""
