"""Why tests of the peers are set apart, and why the failures that are left are left.

Each rule is a pattern that is searched in ``test name | error``, and a reason. The first rule that matches holds.
"""

from __future__ import annotations

# Tests about something that fastgrad does not have, or that is private to the peer, as their errors show it.
APART: list[tuple[str, str]] = [
    (r"AttributeError: .* has no attribute '(quantize\w*|enable_lora|load_own_variables)'", "quantization and LoRA"),
    (r"(?i)lora_rank|_from_mixed|float8|int4_|gptq|awq|quantiz", "quantization and LoRA"),
    (r"AttributeError: .* has no attribute '_\w+'", "a private attribute of the peer"),
    (r"^sparse|sparse=True|SparseTensor", "sparse tensors"),
    (r"catching classes that do not inherit from BaseException", "a private class of errors of the peer"),
]

# Failures that are left.
LEFT: list[tuple[str, str]] = []
