"""The same small programs on fastgrad and on real TensorFlow, compared answer by answer.

`programs/` holds the questions, `expected/` what TensorFlow answered. `make test-all` compares fastgrad with the recorded
answers; `make conformance` asks TensorFlow again and checks that it still says the same. `make record` asks what is not recorded.
"""
