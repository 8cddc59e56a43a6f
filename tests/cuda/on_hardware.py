"""A plugin of pytest (`-p tests.cuda.on_hardware`): tests that simulate a GPU run on a real one instead."""

from fastgrad.cuda.devices import available

available.list_gpus_of = lambda *drivers: available.forget_gpus()
