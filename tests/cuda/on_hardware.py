"""A plugin of pytest (`-p tests.cuda.on_hardware`): tests that simulate a GPU run on a real one instead."""

from fastgrad.cuda.devices import available

available._simulated_gpu_count = lambda: 0
