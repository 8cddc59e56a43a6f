collect_ignore = ["test_gradients.py"]
