"""Every gradient, compared with TensorFlow's and with central differences.

`cases/` holds the functions, `expected/` what TensorFlow answered. `make record` asks what is not recorded.
"""
