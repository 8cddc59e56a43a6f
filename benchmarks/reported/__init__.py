"""Performance reports filed at other libraries, measured beside fastgrad: `python -m benchmarks.reported`."""
