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
    (r"InputLayer: `ragged`|KerasTensor: got ragged", "ragged symbolic inputs"),
    (r"'MockedRandomFlip' object has no attribute 'backend'", "`backend`, a private attribute of Keras's layers"),
    (
        r"InputLayerTest::test_input_basic_sparse",
        "the test asks whether the backend has sparse tensors, and the one that stands in says no",
    ),
    (r"_grain|Grain's datasets", "datasets of Grain"),
    (r"no attribute '(get|set)_state_tree'", "`get_state_tree` and `set_state_tree`"),
    (r"no attribute 'export'", "`Model.export`"),
    (r"no attribute 'set_max_epochs'", "`keras.config.set_max_epochs`"),
    (r"no attribute 'operations'", "`operations` of a functional model"),
    (r"no attribute 'monitor_op'", "`monitor_op` of callbacks, a function of `keras.ops`"),
    (
        r"unexpected keyword argument '(max_shard_size|objects_to_skip)'",
        "weights in several files, and objects left out",
    ),
    (r"folders are not written", "models in folders (`zipped=False`)"),
    (r"(high|low)_memory_config", "private questions about free memory that the test replaces"),
    (r"test_save_to_fileobj", "private functions that write a model to an open file"),
    (r"Backward-compat fixture missing", "a file of data that is not among the sources"),
    (r"profiles and embeddings are not written", "profiles and embeddings of `TensorBoard`"),
    (
        r"is not an instance of <class 'fastgrad._src.keras.models.functional.Functional'>",
        "the private class of functional models",
    ),
    (r"CloneModelTest::test_recursive ", "the private `_flatten_layers`, in which Keras has input layers"),
    (
        r"test_dict_outputs_output_names_ordering",
        "`CompileMetrics`, which is private: a model's output names have one order",
    ),
    (
        r"TestCompileLoss::test_list_loss_dict_data",
        "`CompileLoss`, which is private: a model's outputs keep their structure",
    ),
    (r"test_static_shape_in_graph", "graph mode: shapes in `Dataset.map` are those of the batch"),
    (
        r"StatelessOpsTest::testMatch",
        "the stream of numbers of TensorFlow's own stateful operations, by inverted seeds",
    ),
    (r"'ConcreteFunction' object has no attribute '(graph|output_shapes)'", "graphs, and shapes that are not known"),
    (r"no attribute 'handle'", "handles of resources"),
    (r"no attribute 'SaveSliceInfo'|ONLY_FIRST_TOWER|'int' object has no attribute 'value'", "names of version 1"),
    (r"init_ops_test.*unexpected keyword argument 'dtype'", "initializers of version 1"),
    (r"conv3d\(\) got an unexpected keyword argument 'filter'", "arguments of version 1"),
    (r"testWhileLoop(SameReturnShape_FalseSingleLoopVar|WithSingleVariable)", "`while_loop` of version 1"),
    (r"testSameObjectForMultipleArguments", "a variable that is two arguments of the private `gradients_function`"),
    (r"slicing_test.*unexpected keyword argument 'shape'", "random matrices of the private tests of linear operators"),
    (r"decoding to str: need a bytes-like object, Missing", "a private text of an error"),
    (r"AttributeError: .* has no attribute '_\w+'", "a private attribute of the peer"),
    (r"^sparse|sparse=True|SparseTensor", "sparse tensors"),
    (r"'ConcreteFunction' object has no attribute '(inputs|graph|outputs|_\w+)'", "the graph of a concrete function"),
    (r"'Variable' object has no attribute '(initializer|handle|_handle)'", "graph mode and resource handles"),
    (r"TFETensorTest::testBadConstructorArgs", "the constructor of eager tensors, which is private"),
    (
        r"testVariadicInputSignature|testFunctionCacheLimited|testMakeAttr|'TensorShape' object has no attribute 'as_proto'",
        "private: names of graph nodes, attributes of nodes, limits of caches",
    ),
    (r"no attribute '_(USE_EQUALITY|numpy|watch|batch_accumulator)'", "a private attribute of the peer"),
    (r"convert_to_tensor\(\) got an unexpected keyword argument 'preferred_dtype'", "an argument of TensorFlow 1"),
    (r"test(NumpyDimsTooBig|NumpyTooManyDimensions)", "NumPy refuses such arrays, before any tensor is made"),
    (
        r"'Dataset' object has no attribute '(sparse_batch|fingerprint)'",
        "methods of datasets that fastgrad does not have",
    ),
    (r"_to_proto", "protocol buffers of options"),
    (
        r"(Dataclass|MaskedTensor|MaskedNdarray)\w* \|?.*with an unsupported type|::ZipTest::testDataclass|MaskedTensor|MyDataclass",
        "the private protocol __tf_flatten__ of dataclasses",
    ),
    (r"DatasetSpec' object has no attribute 'is_subtype_of'", "the tracing protocol of types"),
    (
        r"'map' object has no attribute '_?save'|expecting iterator to be a trackable object",
        "checkpoints of the iterators of as_numpy_iterator and of private iterators",
    ),
    (r"RaggedTensor' object has no attribute 'to_sparse'", "sparse tensors"),
    (r"has no attribute 'captureWritesToStream'", "what TensorFlow's C++ logs"),
    (r"(dataset|snapshot)_test\.py.*DuplicateTestNameError", "tests that graph mode generates a second time"),
    (r"catching classes that do not inherit from BaseException", "a private class of errors of the peer"),
]

# Failures that are left.
LEFT: list[tuple[str, str]] = [
    (
        r"memoryview: a bytes-like object is required, not 'Tensor'",
        "tensors have no buffer of bytes of their own: `x.numpy()` has",
    ),
    (
        r"testEagerTensorsCanBeGarbageCollected|testWeakrefEagerTensor|testTensorDir|testWeakKeyDictionaryTensor",
        "tensors keep no attributes of the user's: they have slots, which makes each operation faster",
    ),
    (
        r"testRecomputeGradWithDifferentShape",
        "`recompute_grad` takes dicts with keys that can be sorted, as everything that takes structures does",
    ),
    (
        r"testDeadTensorsJVPCleared",
        "an accumulator keeps the tensors that have tangents until it goes, as a tape does",
    ),
    (
        r"ControlFlowTests::test(In|Of)FunctionCond",
        "the tangent of what does not depend on the input is None in compiled functions, as it is eagerly",
    ),
    (
        r"test(BatchJacobianParallelIterations|PersistentTape) \| AssertionError: RuntimeError not raised",
        "on purpose: `parallel_iterations` and `experimental_use_pfor=False` need no persistent tape",
    ),
    (
        r"testExceptionCustomGradientRecomputeGradForward",
        "on purpose: functions of `recompute_grad` have tangents, which TensorFlow does not compute",
    ),
    (
        r"testConvertToTensorAllowsOverflow",
        "on purpose: a number that a dtype does not hold is an error, not another number",
    ),
    (
        r"RandomZoomTest::test_random_flip_tf_data_bounding_boxes",
        "on purpose: the boxes of a single image keep their rank",
    ),
    (
        r"ResizingTest::test_resize\w*_bounding_boxes_with_crop_to_aspect_ratio",
        "on purpose: boxes are cropped as the pixels are; Keras is off by half a pixel",
    ),
    (
        r"RandomCropTest::test_dict_input",
        "on purpose: a layer leaves the dict that it is given as it is; Keras's `RandomCrop` replaces its entries",
    ),
    (
        r"RandomFlipTest::test_tf_data_compatibility",
        "other random numbers: this seed does not flip the image",
    ),
    (
        r"TextVectorizationTest::test_static_output_sequence_length",
        "on purpose: the sizes of a batch are known in `Dataset.map`",
    ),
    (
        r"test_one_hot_compute_output_spec_preserves_input_dims",
        "on purpose: the symbolic result of a lookup has the dtype of its result; Keras says float32, and gives int64",
    ),
    (
        r"ProgbarTest::test_stateful_stateless_output",
        "on purpose: outside of a terminal, a progress bar is written once, at its end",
    ),
    (
        r"SavingTest::test_compile_overridden_warnings",
        "the warning has the user's line, by `warnings.warn_explicit`; the test looks for calls of `warnings.warn`",
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
    (
        r"test_steps_per_execution_steps_per_epoch_match_multi_epoch",
        "on purpose: with `steps_per_execution`, an epoch has exactly `steps_per_epoch` steps; Keras goes on to a whole group",
    ),
    (
        r"TestCompileMetrics::test_(deeply_nested_outputs_and_metrics0|list_output_case)",
        "on purpose: metrics of unnamed outputs are `output_1_...`, so that two of one name are told apart",
    ),
    (
        r"test_swap_ema_weights_on_epoch",
        "the first batch of a model runs operation by operation, and its mean is rounded in another order (one unit in the last place)",
    ),
    (r"FunctionalTest::test_layer_getters", "operations on symbolic tensors are among a model's `layers`"),
    (r"SequentialTest::test_bad_layer", "a `call` with a second argument without default is Python's own TypeError"),
    (r"test_save_h5_format", "saving in the older `.h5` form logs no warning"),
    (
        r"test_load_model_rejects_extraction_bomb",
        "members of an archive that unpack to far more than they are packed are read",
    ),
    (
        r"test_redefinition_of_trackable",
        "a property that gives a layer another name is not looked for in a file of weights",
    ),
    (r"TimeseriesDatasetTest::test_shuffle_tf", "other random numbers: this seed draws the first window first"),
    (
        r"NotCheckpointable.*FailedPreconditionError|testSaveStatefulFunction|testDisallowCapturingStatefulOps",
        "an iterator saves its position, whatever its functions do: TensorFlow refuses functions that have state",
    ),
    (r"FileCacheTest::testConcurrentWriters", "two iterations may fill one file cache; TensorFlow refuses the second"),
    (r"FromTensorSlicesDataset|testUnbatchNestedDataset|BatchTest::testDataset_", "datasets are no rows of a tensor"),
    (r"data/kernel_tests.*TensorArray", "a TensorArray is no element of a dataset"),
    (
        r"InterleaveTest::testInterleaveDataset_.*cyclelength_None",
        "on purpose: the default cycle of interleave does not depend on the machine",
    ),
    (r"testMapFuncMustReturnDataset", "what a function gives is looked at while iterating"),
    (r"testPropagateUserDefinedFunctionErrorMessage", "an error of a user's function comes out as it is"),
    (r"testSeededStatefulOperatorIsProperlyStateful", "other random numbers for an operation's seed"),
    (r"testPrefetching", "the thread of prefetch begins only where elements turn out to take long"),
    (r"testSampleFromDatasetsWithZeroWeight.*negative", "negative weights are refused"),
    (
        r"IOTest::testCustom|CheckpointTest::testCustom(Reader|Shard)",
        "a saved dataset is read in the order in which it was written",
    ),
    (r"testSaveCheckpointingAPI", "Dataset.save makes no checkpoints of its own"),
    (r"DenormalTest", "on purpose: subnormal numbers are kept"),
    (
        r"OneHotTest::testIndicesTypes|PadOpTest::testIntTypes",
        "on purpose: a Python number that its dtype can't hold is refused (-1 as a uint8)",
    ),
    (
        r"RandomBinomialTest::testCornerCases",
        "on purpose: bad input is always an error (probabilities outside of [0, 1])",
    ),
    (
        r"RandomBinomialTest::testStatelessDtypeInt64",
        "on purpose: random numbers have the same distribution, not the same values",
    ),
    (r"StatelessOpsTest::testErrors", "integer bounds of `stateless_uniform` may be tensors, which TensorFlow refuses"),
    (
        r"GatherTest::testBatchDims(5|6|14) ",
        "gradients of negative `batch_dims` work in functions, too, because shapes are known",
    ),
    (
        r"testTransposeDynamicShapes|testUnknownRank|unknown_(dim|rank)",
        "on purpose: no shape is relaxed to an unknown one",
    ),
    (r"testAsTensorForShapeInput", "a shape with sizes beyond int32 is a TypeError; TensorFlow's is a ValueError"),
    (r"testCustomSequence", "a class that only has `__len__` and `__getitem__` is not taken for a list"),
    (r"AutomaticStackingTest::testDtype", "a list of tensors of two dtypes is refused, but by another class of error"),
    (
        r"QrGradOpTest::testNotImplementedCheck",
        "the missing gradient of `qr` is an UnimplementedError, TensorFlow's a LookupError",
    ),
    (
        r"testAssignDifferentShapesAllowed",
        "a variable has one shape for life, because programs hold its memory's address",
    ),
    (
        r"BackpropTest::testBatchJacobianParallelIterations|BatchJacobianTest::testPersistentTape",
        "`parallel_iterations` changes nothing, so that a tape need not be persistent for it",
    ),
    (
        r"testRecomputeGradWithDifferentShape",
        "references to variables can't be keys of structures, because they have no order",
    ),
    (
        r"ControlFlowTests::test(In|Of)FunctionCond",
        "the jvp of a branch that does not depend on its input is None; TensorFlow's is 0 in functions",
    ),
    (
        r"PureForward(Function|NoFunction)? ",
        "an inner forward accumulator also follows what the outer one computes; TensorFlow's gives None",
    ),
    (r"testDeadTensorsJVPCleared", "a forward accumulator keeps what it followed until it ends"),
    (
        r"testExceptionCustomGradientRecomputeGradForward",
        "forward mode goes through `recompute_grad`, which TensorFlow refuses",
    ),
    (
        r"testRHSDispatchingAndErrorRaising",
        "the error of an object's own operator comes out as it is, as Python has it",
    ),
    (r"ragged_print_op_test.*CompositeOperand", "`tf.print` of ragged tensors"),
    (r"testRaggedWithMapFn.*CompositeOperand", "`tf.map_fn` of ragged tensors"),
    (
        r"ragged_(split|concat|stack|squeeze|reverse|from_tensor|segment_ids|dynamic_partition)\w*_test.*(Errors?\d*|testUnsortedSegmentIds|not_a_list0|testRaggedSegmentStack0) ",
        "bad arguments of ragged functions are refused by another class of error, or taken",
    ),
    (
        r"RaggedMapInnerValuesOpTest",
        "`map_flat_values` does not keep uniform rows; operands of different ragged ranks are another class of error",
    ),
    (r"testBoundingShape", "`bounding_shape` takes its axes as a list, not as a tensor"),
    (r"RaggedRangeOpTest::testKernelErrors", "`ragged.range` has no limit of its size"),
    (r"RaggedUtilTest::testRepeat10", "no repeats at all (`repeats=[]`) are refused"),
    (
        r"RaggedConcatOpTest::testRaggedConcat12|RaggedSplitOpTest::testSplit6|RaggedSegmentStackOpTest::testRaggedSegmentStack17",
        "`concat`, `split` and `stack_dynamic_partitions` of ragged tensors with dense ones of other sizes",
    ),
    (
        r"Params4DRagged_Indices1DTensor_batch_1_axis_2",
        "on purpose: an index beyond the end of a ragged row is refused; TensorFlow takes the next row's element",
    ),
    (r"TileTest::testLargeTensor", "on purpose: sizes multiply to less than 2^63 bytes, because NumPy's do"),
    (r"RollTest::testLargeInput.*Timeout", "the test did not end in its time: it rolls 2.2 GB ten times"),
    (r"MapTest::testReturnValueError", "what a function gives is looked at while iterating"),
    (r"CondTest::testCondDuplicateArg", "`cond` of version 1, which names the branches twice"),
    (r"testCardinality_.*Interleave3", "the cardinality of `interleave` of endless datasets is unknown, not infinite"),
    (r"testSaveRestoreModifiedDataset", "a position is restored to an iterator of a changed dataset, too"),
    (
        r"GroupByWindow\w*Test::(testReduceFuncError|testEmpty)",
        "a window size of 0 is refused, and a negative `shapes` in a window's batch is Python's own error",
    ),
    (r"IgnoreErrorsTest::testReadFileIgnoreError", "`ignore_errors` ends at a file that is missing"),
    (r"testOptionsTwiceSameOptionWithMap", "an option that is set twice has one value"),
    (r"testPaddedBatchShapeErrorShape(NotInt|NotRank1)", "padded shapes that are no shapes are another class of error"),
    (r"testShuffleInfiniteRepeatNonemptyFollowedByEmpty", "an endless repeat ends at an iteration without elements"),
]
