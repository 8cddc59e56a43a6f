"""What derivatives are compiled by, and what they call when they run."""
