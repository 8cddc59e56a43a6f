"""``tf.quantization``: quantization to integers and back, and fake quantization."""

from fastgrad._src.compat.quantization.fake_quantization import (
    fake_quant_with_min_max_args as fake_quant_with_min_max_args,
)
from fastgrad._src.compat.quantization.fake_quantization import (
    fake_quant_with_min_max_vars as fake_quant_with_min_max_vars,
)
from fastgrad._src.compat.quantization.fake_quantization import (
    fake_quant_with_min_max_vars_per_channel as fake_quant_with_min_max_vars_per_channel,
)
from fastgrad._src.compat.quantization.integer_quantization import dequantize as dequantize
from fastgrad._src.compat.quantization.integer_quantization import quantize as quantize
from fastgrad._src.compat.quantization.integer_quantization import quantize_and_dequantize as quantize_and_dequantize
from fastgrad._src.compat.quantization.integer_quantization import (
    quantize_and_dequantize_v2 as quantize_and_dequantize_v2,
)
from fastgrad._src.core.names import namespace_hooks as _namespace_hooks

__getattr__, __dir__ = _namespace_hooks("tf.quantization", globals())
