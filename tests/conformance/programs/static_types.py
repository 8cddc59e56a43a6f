"""Shapes and specs: subtypes, common supertypes, compatibility, the spec of a value."""

import numpy as np


def shapes(tf):
    S = tf.TensorShape
    return {
        "assert_is_fully_defined": lambda: S([1, 2]).assert_is_fully_defined(),
        "assert_is_fully_defined fails": lambda: S([None, 2]).assert_is_fully_defined(),
        "assert_same_rank": lambda: [S([1, 2]).assert_same_rank([3, 4]), S(None).assert_same_rank([3])],
        "assert_same_rank fails": lambda: S([1, 2]).assert_same_rank([3]),
        "with_rank_at_least": lambda: [S([1, 2]).with_rank_at_least(2), S(None).with_rank_at_least(2)],
        "with_rank_at_least fails": lambda: S([1, 2]).with_rank_at_least(3),
        "with_rank_at_most": lambda: [S([1, 2]).with_rank_at_most(2), S(None).with_rank_at_most(2)],
        "with_rank_at_most fails": lambda: S([1, 2]).with_rank_at_most(1),
        "subtype": lambda: [
            S(a).is_subtype_of(S(b))
            for a, b in [
                ([1, 2], [None, 2]),
                ([None, 2], [1, 2]),
                ([1], None),
                (None, [1]),
                (None, None),
                ([1], [1, 2]),
            ]
        ],
        "subtype of a list": lambda: S([1]).is_subtype_of([None]),
        "supertype": lambda: [
            S([1, 2]).most_specific_common_supertype([S([1, 3])]),
            S([1, 2]).most_specific_common_supertype([S([1, 3]), S([2, 2])]),
            S([1, 2]).most_specific_common_supertype([]),
            str(S([1, 2]).most_specific_common_supertype([S([1])])),
        ],
        "supertype of others": lambda: S([1, 2]).most_specific_common_supertype([[1, 2]]),
        "compatible": lambda: [
            S([1, 2]).most_specific_compatible_shape([1, 3]),
            str(S([1, 2]).most_specific_compatible_shape(S([1]))),
            str(S(None).most_specific_compatible_shape(S([1]))),
        ],
    }


def specs(tf):
    T, R, P, D = tf.TensorSpec, tf.RaggedTensorSpec, tf.SparseTensorSpec, tf.data.DatasetSpec
    numbers = tf.data.Dataset.range(3)
    long = D(T([], tf.int64))
    return {
        "TypeSpec": lambda: [isinstance(s, tf.TypeSpec) for s in (T([1]), R([1, None]), P([1, None]), long, 3, None)],
        "classes": lambda: [issubclass(c, tf.TypeSpec) for c in (T, R, P, D, tf.Tensor)],
        "abstract": lambda: tf.TypeSpec(),
        "compatible type": lambda: str(T([1, 2]).most_specific_compatible_type(T([1, 3]))),
        "no compatible type": lambda: T([1, 2]).most_specific_compatible_type(T([1, 3], tf.int32)),
        "ragged": lambda: str(R([2, None]).most_specific_compatible_type(R([3, None]))),
        "sparse": lambda: str(P([2, None]).most_specific_compatible_type(P([3, None]))),
        "no ragged": lambda: R([2, None]).most_specific_compatible_type(T([3, None])),
        "subtypes": lambda: [R([2, None]).is_subtype_of(R([None, None])), P([None, 2]).is_subtype_of(P([1, 2]))],
        "names": lambda: [T([1], name="a").is_subtype_of(T([1], name="b")), T([1]).is_subtype_of(T(None))],
        "dataset": lambda: [D(T([])).is_compatible_with(numbers), long.is_compatible_with(numbers)],
        "dataset of another": lambda: [long.is_compatible_with(3), long.is_compatible_with(D(T([], tf.int64)))],
        "dataset subtypes": lambda: [
            long.is_subtype_of(D(T(None, tf.int64))),
            D(T(None, tf.int64)).is_subtype_of(long),
        ],
        "dataset supertype": lambda: str(D(T([2])).most_specific_common_supertype([D(T([3]))])),
        "no dataset supertype": lambda: D(T([2])).most_specific_common_supertype([D((T([2]), T([2])))]),
    }


def of_values(tf):
    spec = tf.type_spec_from_value
    return {
        "tensors": lambda: [str(spec(value)) for value in (tf.constant([1]), [1, 2], 3, "a", np.float32(1))],
        "ragged": lambda: str(spec(tf.ragged.constant([[1], [2, 3]]))),
        "sparse": lambda: str(spec(tf.sparse.from_dense([[1, 0]]))),
        "dataset": lambda: str(spec(tf.data.Dataset.range(3))),
        "dict": lambda: spec({"a": 1}),
        "object": lambda: spec(object()),
    }
