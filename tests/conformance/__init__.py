"""The same small programs on fastgrad and on real TensorFlow, compared answer by answer.

`programs/` holds the questions, `expected/` what TensorFlow answered. `make test-all` compares fastgrad with the recorded
answers; `make conformance` asks TensorFlow again and checks that it still says the same. After adding a question:
`FASTGRAD_REFEREE_PYTHON=path/to/python python -m tests.conformance.record`.
"""
