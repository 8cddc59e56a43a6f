"""Steps, and the driver that runs a table of them, on one thread or on a thread pool."""
