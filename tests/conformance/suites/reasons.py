"""Why tests of the peers are set apart, and why the failures that are left are left.

Each rule is a pattern that is searched in ``test name | error``, and a reason. The first rule that matches holds.
"""

from __future__ import annotations

# Tests about something that fastgrad does not have, or that is private to the peer, as their errors show it.
APART: list[tuple[str, str]] = [
    (r"(?i)quantiz|enable_lora|lora_rank|_from_mixed|float8|int4_|int8_|gptq|awq", "quantization and LoRA"),
    (r"_register_call_context_args", "arguments of calls that a layer registers, a private method of Keras's layers"),
    (r"'Muon' object has no attribute|MuonTest::test_adamw_single_step", "inner steps of Muon, called one by one"),
    (r"test_causal_only_skipped_for_subclass", "a private method of Keras's attention layers that a subclass replaces"),
    (r"no attribute 'rematerialized_call'", "rematerialization"),
    (
        r"InputLayer: `sparse`, `ragged`|KerasTensor: got sparse",
        "sparse and ragged symbolic inputs, and `input_tensor`",
    ),
    (r"AttributeError: .* has no attribute '_\w+'", "a private attribute of the peer"),
    (r"^sparse|sparse=True|SparseTensor", "sparse tensors"),
    (r"catching classes that do not inherit from BaseException", "a private class of errors of the peer"),
]

# Failures that are left.
LEFT: list[tuple[str, str]] = [
    (
        r"GroupedQueryAttentionTest::test_shape_mismatch_error_query_value_dim_mismatch",
        "`GroupQueryAttention.compute_output_shape` gives the shape of the call, where Keras refuses values of another width than queries",
    ),
    (r"HuberLossTest::test_config", "on purpose: the configuration of `Huber` has `delta`, which Keras forgets"),
    (
        r"LayerTest::test_tracker_locking",
        "on purpose: the first call of a layer without `build` may make weights and layers",
    ),
    (
        r"LayerTest::test_not_implemented_error_compute_output_shape",
        "`Layer.compute_output_shape` runs the layer, so that without a shape it is a TypeError; Keras's is not implemented",
    ),
    (r"test_add_weight_string_as_first_positional_arg", "a `shape` that is given twice is Python's own TypeError"),
    (
        r"test_dropout_rescaling",
        "other random numbers: the mean of this seed's draws is 2.2 standard deviations from the expected one",
    ),
    (
        r"test_einsum_dense_constraints",
        "`EinsumDense` refuses to be built for a shape that its equation does not fit; Keras refuses the call",
    ),
    (
        r"test_concatenate_with_mask_symbolic",
        "masks of symbolic tensors are made when the model runs, and can't be its outputs",
    ),
]
