"""``tf.quantization``: quantization to integers and back, and fake quantization."""

from fastgrad.core.names import namespace_hooks as _namespace_hooks
from fastgrad.quantization.fake_quantization import fake_quant_with_min_max_args as fake_quant_with_min_max_args
from fastgrad.quantization.fake_quantization import fake_quant_with_min_max_vars as fake_quant_with_min_max_vars
from fastgrad.quantization.fake_quantization import (
    fake_quant_with_min_max_vars_per_channel as fake_quant_with_min_max_vars_per_channel,
)
from fastgrad.quantization.integer_quantization import dequantize as dequantize
from fastgrad.quantization.integer_quantization import quantize as quantize
from fastgrad.quantization.integer_quantization import quantize_and_dequantize as quantize_and_dequantize
from fastgrad.quantization.integer_quantization import quantize_and_dequantize_v2 as quantize_and_dequantize_v2

__getattr__, __dir__ = _namespace_hooks("tf.quantization", globals())
