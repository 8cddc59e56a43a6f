"""What happens at a call of a compiled function: arguments, captured names, and which program it is."""
