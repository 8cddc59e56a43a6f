"""Every gradient, compared with TensorFlow's and with central differences.

`cases/` holds the functions, `expected/` what TensorFlow answered. After adding a case:
`FASTGRAD_REFEREE_PYTHON=path/to/python python -m tests.reliability.gradients.record`.
"""
