"""Linear operators: products, solutions, determinants and hints of each class, under tapes and in functions."""

import numpy as np


def _numbers(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def _positive(*shape, seed=0):
    matrix = _numbers(*shape, shape[-1], seed=seed)
    return matrix @ np.swapaxes(matrix, -1, -2) + 3 * np.eye(shape[-1])


def _operators(tf):
    """Operators by name, of float64 if there is no other dtype in the name."""
    lin = tf.linalg
    full = lin.LinearOperatorFullMatrix
    lower = lin.LinearOperatorLowerTriangular(_positive(3, seed=1), is_non_singular=True)
    diag = lin.LinearOperatorDiag(tf.constant([1.0, -2.0, 4.0], tf.float64))
    positive = full(_positive(3), is_self_adjoint=True, is_positive_definite=True)
    hints = {"is_self_adjoint": True, "is_positive_definite": True}
    complex_diag = tf.constant([1 + 2j, 3 - 1j, 2 + 0.5j], tf.complex128)
    u, v = _numbers(3, 2, seed=3), _numbers(3, 2, seed=4)
    spectrum = tf.constant(_numbers(4, seed=5) + 1j * _numbers(4, seed=6), tf.complex128)
    return {
        "full": full(_numbers(3, 3)),
        "positive": positive,
        "full batch": full(_numbers(2, 3, 3)),
        "wide": full(_numbers(2, 3)),
        "lower": lower,
        "diag": diag,
        "diag batch": lin.LinearOperatorDiag(_numbers(2, 3, seed=7)),
        "diag complex": lin.LinearOperatorDiag(complex_diag),
        "identity": lin.LinearOperatorIdentity(3, dtype=tf.float64),
        "identity batch": lin.LinearOperatorIdentity(3, batch_shape=[2], dtype=tf.float64),
        "scaled": lin.LinearOperatorScaledIdentity(3, tf.constant(-2.0, tf.float64)),
        "scaled batch": lin.LinearOperatorScaledIdentity(3, tf.constant([2.0, 3.0], tf.float64)),
        "zeros": lin.LinearOperatorZeros(3, dtype=tf.float64),
        "zeros wide": lin.LinearOperatorZeros(2, 3, dtype=tf.float64, is_square=False, is_self_adjoint=False),
        "composition": lin.LinearOperatorComposition([full(_numbers(3, 3)), diag, lower]),
        "product with adjoint": lin.LinearOperatorComposition([lower, lower.H]),
        "adjoint": lin.LinearOperatorAdjoint(full(_numbers(3, 3))),
        "adjoint wide": lin.LinearOperatorAdjoint(full(_numbers(2, 3))),
        "inversion": lin.LinearOperatorInversion(full(_numbers(3, 3))),
        "kronecker": lin.LinearOperatorKronecker([full(_numbers(2, 2, seed=8)), full(_numbers(3, 3, seed=9))]),
        "kronecker three": lin.LinearOperatorKronecker(
            [positive, diag, lin.LinearOperatorIdentity(2, dtype=tf.float64)]
        ),
        "kronecker wide": lin.LinearOperatorKronecker([full(_numbers(2, 3)), full(_numbers(2, 1))]),
        "kronecker batch": lin.LinearOperatorKronecker([full(_numbers(2, 2, 2)), full(_numbers(3, 3))]),
        "update": lin.LinearOperatorLowRankUpdate(diag, u, tf.constant([2.0, -1.0], tf.float64), v),
        "update positive": lin.LinearOperatorLowRankUpdate(positive, u),
        "update batch": lin.LinearOperatorLowRankUpdate(positive, _numbers(2, 3, 1), v=_numbers(3, 1, seed=2)),
        "block diag": lin.LinearOperatorBlockDiag([full(_numbers(2, 2)), diag]),
        "block diag batch": lin.LinearOperatorBlockDiag([full(_numbers(2, 2, 2)), positive]),
        "block lower": lin.LinearOperatorBlockLowerTriangular([[full(_numbers(2, 2))], [full(_numbers(3, 2)), diag]]),
        "householder": lin.LinearOperatorHouseholder(tf.constant([1.0, 2.0, -2.0], tf.float64)),
        "permutation": lin.LinearOperatorPermutation([2, 0, 1], dtype=tf.float64),
        "permutation batch": lin.LinearOperatorPermutation([[2, 0, 1], [0, 2, 1]], dtype=tf.float64),
        "tridiag": lin.LinearOperatorTridiag(_numbers(3, 4)),
        "tridiag sequence": lin.LinearOperatorTridiag(list(_numbers(3, 2, 4)), "sequence"),
        "tridiag matrix": lin.LinearOperatorTridiag(np.triu(np.tril(_positive(4), 1), -1), "matrix", **hints),
        "toeplitz": lin.LinearOperatorToeplitz(
            tf.constant([3.0, 1.0, 2.0], tf.float64), tf.constant([3.0, -1.0, 4.0], tf.float64)
        ),
        "circulant": lin.LinearOperatorCirculant(spectrum, input_output_dtype=tf.complex128),
        "circulant real": lin.LinearOperatorCirculant(tf.constant([1.0, 2.0, 3.0, 2.0], tf.float64), tf.float64),
        "circulant 2D": lin.LinearOperatorCirculant2D(tf.constant(_numbers(2, 3) + 3), tf.complex128),
        "circulant 3D": lin.LinearOperatorCirculant3D(tf.constant(_numbers(2, 1, 2, 3) + 3), tf.complex128),
    }


def _questions_of(tf, operator):
    rows, columns = (int(operator.shape[axis]) for axis in (-2, -1))

    def matrix(count, seed=11):
        return tf.cast(tf.constant(_numbers(count, 2, seed=seed)), operator.dtype)

    def vector(count, seed=12):
        return tf.cast(tf.constant(_numbers(count, seed=seed)), operator.dtype)

    def with_gradient(call):
        operand = matrix(rows)
        with tf.GradientTape() as tape:
            tape.watch(operand)
            result = tf.reduce_sum(tf.abs(call(operand)) ** 2)
        return tape.gradient(result, operand)

    return {
        "shape": lambda: operator.shape.as_list(),
        "sizes": lambda: [int(operator.domain_dimension), int(operator.range_dimension), operator.tensor_rank],
        "tensors of sizes": lambda: [
            operator.shape_tensor(),
            operator.batch_shape_tensor(),
            operator.domain_dimension_tensor(),
        ],
        "hints": lambda: [
            operator.is_square,
            operator.is_non_singular,
            operator.is_self_adjoint,
            operator.is_positive_definite,
        ],
        "dtype": lambda: operator.dtype.name,
        "dense": lambda: operator.to_dense(),
        "matmul": lambda: operator.matmul(matrix(columns)),
        "matmul of batch": lambda: operator.matmul(tf.stack([matrix(columns), matrix(columns, 13)])),
        "adjoint matmul": lambda: operator.matmul(matrix(rows), adjoint=True),
        "matmul of adjoint": lambda: operator.matmul(tf.linalg.adjoint(matrix(columns)), adjoint_arg=True),
        "matvec": lambda: operator.matvec(vector(columns)),
        "adjoint matvec": lambda: operator.matvec(vector(rows), adjoint=True),
        "solve": lambda: operator.solve(matrix(rows)),
        "solve of batch": lambda: operator.solve(tf.stack([matrix(rows), matrix(rows, 13)])),
        "adjoint solve": lambda: operator.solve(matrix(columns), adjoint=True),
        "solve of adjoint": lambda: operator.solve(tf.linalg.adjoint(matrix(rows)), adjoint_arg=True),
        "solvevec": lambda: operator.solvevec(vector(rows)),
        "adjoint solvevec": lambda: operator.solvevec(vector(columns), adjoint=True),
        "determinant": lambda: operator.determinant(),
        "log determinant": lambda: operator.log_abs_determinant(),
        "diagonal": lambda: operator.diag_part(),
        "trace": lambda: operator.trace(),
        "sum": lambda: operator.add_to_tensor(tf.ones([rows, columns], operator.dtype)),
        "condition": lambda: operator.cond(),
        "adjoint": lambda: operator.adjoint().to_dense(),
        "inverse": lambda: operator.inverse().to_dense(),
        "cholesky": lambda: operator.cholesky().to_dense(),
        "eigenvalues": lambda: tf.sort(tf.math.real(operator.eigvals()), axis=-1),
        "non singular": lambda: operator.assert_non_singular(),
        "self adjoint": lambda: operator.assert_self_adjoint(),
        "positive": lambda: operator.assert_positive_definite(),
        "gradient of solve": lambda: with_gradient(operator.solve),
        "in a function": lambda: tf.function(lambda op, x: op.matmul(x))(operator, matrix(columns)),
        "from a function": lambda: tf.function(lambda op: op.H)(operator).to_dense(),
    }


# What TensorFlow can't do although its page says so; tests/compat/test_linear_operators.py compares these with dense matrices.
LEFT_OUT = {
    "kronecker wide: diagonal",  # a shape that is too long is refused
    "kronecker wide: trace",  # the product of the factors' traces
    "kronecker wide: condition",  # of a singular matrix: rounding
    "update: self adjoint",  # an endless recursion
    "update batch: self adjoint",
    "tridiag: matmul of batch",  # no broadcasting
    "tridiag matrix: matmul of batch",
    "circulant: adjoint",  # a result of complex64
    "circulant: from a function",
    *(
        f"tridiag sequence: {title}"  # no batches
        for title in ("matmul", "adjoint matmul", "matmul of adjoint", "matvec", "adjoint matvec", "in a function")
    ),
}


def each_class(tf):
    questions = {}
    for name, operator in _operators(tf).items():
        questions |= {f"{name}: {title}": question for title, question in _questions_of(tf, operator).items()}
    return {title: question for title, question in questions.items() if title not in LEFT_OUT}


def products(tf):
    """Products and solutions of two operators: the class of the result, its hints and its matrices."""
    operators = {name: operator for name, operator in _operators(tf).items() if operator.shape.as_list()[-2:] == [3, 3]}
    operators = {
        name: operator for name, operator in operators.items() if operator.dtype == tf.float64 and "batch" not in name
    }
    names = ("full", "positive", "lower", "diag", "identity", "scaled", "zeros", "inversion")

    def answer(operator):
        hints = [operator.is_square, operator.is_non_singular, operator.is_self_adjoint, operator.is_positive_definite]
        return type(operator).__name__, hints, operator.to_dense()

    questions = {}
    for left in names:
        for right in names:
            questions[f"{left} @ {right}"] = lambda a=left, b=right: answer(operators[a].matmul(operators[b]))
            if left != "zeros" and (left, right) != ("inversion", "zeros"):
                questions[f"{left} \\ {right}"] = lambda a=left, b=right: answer(operators[a].solve(operators[b]))
    return questions


def blocks(tf):
    operators = _operators(tf)
    block_diag, block_lower = operators["block diag"], operators["block lower"]
    parts = [tf.constant(_numbers(2, 2)), tf.constant(_numbers(3, 2))]
    vectors = [tf.constant(_numbers(2)), tf.constant(_numbers(3))]
    questions = {}
    for name, operator in (("diag", block_diag), ("lower", block_lower)):
        questions |= {
            f"{name} matmul": lambda op=operator: op.matmul(list(parts)),
            f"{name} adjoint matmul": lambda op=operator: op.matmul(list(parts), adjoint=True),
            f"{name} matvec": lambda op=operator: op.matvec(list(vectors)),
            f"{name} solve": lambda op=operator: op.solve(list(parts)),
            f"{name} adjoint solve": lambda op=operator: op.solve(list(parts), adjoint=True),
            f"{name} solvevec": lambda op=operator: op.solvevec(list(vectors)),
            f"{name} wrong": lambda op=operator: op.matvec(list(reversed(vectors))),
        }
    return questions | {
        "product of block diagonals": lambda: (block_diag @ block_diag).to_dense(),
        "class of the product": lambda: type(block_diag @ block_diag).__name__,
        "operators": lambda: [len(block_diag.operators), [len(row) for row in block_lower.operators]],
    }


def variables(tf):
    scale = tf.Variable([1.0, 2.0, 4.0])
    diag = tf.linalg.LinearOperatorDiag(scale)
    matrix = tf.Variable([[2.0, 1.0], [1.0, 3.0]])
    full = tf.linalg.LinearOperatorFullMatrix(matrix, is_self_adjoint=True, is_positive_definite=True)
    kronecker = tf.linalg.LinearOperatorKronecker([diag, full])

    def gradients(call, sources):
        with tf.GradientTape() as tape:
            result = call()
        return tape.gradient(result, sources)

    @tf.function
    def loss(operator, x):
        return tf.reduce_sum(operator.solvevec(x) ** 2) + operator.log_abs_determinant()

    @tf.function
    def loss_of_captured(x):
        return tf.reduce_sum(kronecker.solvevec(x) ** 2) + kronecker.log_abs_determinant()

    def after_change():
        scale.assign([2.0, 2.0, 2.0])
        results = diag.to_dense(), loss_of_captured(tf.ones([6])), loss(diag, tf.ones([3]))
        scale.assign([1.0, 2.0, 4.0])
        return results

    return {
        "variables": lambda: len(kronecker.trainable_variables),
        "gradient": lambda: gradients(lambda: loss.python_function(full, tf.ones([2])), matrix),
        "gradient of a function": lambda: gradients(lambda: loss(full, tf.ones([2])), matrix),
        "gradient of a diagonal": lambda: gradients(lambda: loss(diag, tf.ones([3])), scale),
        "gradient of captured operators": lambda: gradients(lambda: loss_of_captured(tf.ones([6])), [scale, matrix]),
        "after a change": after_change,
        "parameters": lambda: sorted(diag.parameters),
    }


def own_class(tf):
    """An operator of the user's own, as TensorFlow's page shows it."""

    class Doubling(tf.linalg.LinearOperator):
        def __init__(self, size, dtype=tf.float64):
            self._size = size
            super().__init__(dtype, is_square=True, name="doubling")

        def _shape(self):
            return tf.TensorShape([self._size, self._size])

        def _shape_tensor(self):
            return tf.constant([self._size, self._size])

        def _matmul(self, x, adjoint=False, adjoint_arg=False):
            return 2.0 * (tf.linalg.adjoint(x) if adjoint_arg else x)

    operator = Doubling(3)
    x = tf.constant(_numbers(3, 2))
    return {
        "matmul": lambda: operator @ x,
        "solve": lambda: operator.solve(x),
        "trace": lambda: operator.trace(),
        "determinant": lambda: operator.determinant(),
        "inverse": lambda: operator.inverse().matmul(x),
        "name": lambda: operator.name,
        "product": lambda: operator.matmul(operator).matmul(x),
        "condition": lambda: operator.cond(),
    }


def wrong(tf):
    lin = tf.linalg
    full = lin.LinearOperatorFullMatrix([[1.0, 2.0], [3.0, 4.0]])
    return {
        "dimension": lambda: full.matmul(tf.ones([3, 1])),
        "dtype": lambda: full.matmul(tf.ones([2, 1], tf.float64)),
        "operators": lambda: full.matmul(lin.LinearOperatorIdentity(3)),
        "eigenvalues": lambda: full.eigvals(),
        "cholesky": lambda: full.cholesky(),
        "singular": lambda: lin.LinearOperatorFullMatrix([[1.0]], is_non_singular=False).solve([[1.0]]),
        "wide": lambda: lin.LinearOperatorFullMatrix([[1.0, 2.0]]).determinant(),
        "integers": lambda: lin.LinearOperatorFullMatrix([[1, 2]]),
        "vector": lambda: lin.LinearOperatorFullMatrix([1.0]),
        "hints": lambda: lin.LinearOperatorFullMatrix([[1.0]], is_positive_definite=True, is_non_singular=False),
        "real diagonal": lambda: lin.LinearOperatorDiag([1.0], is_self_adjoint=False),
        "scalar diagonal": lambda: lin.LinearOperatorDiag(1.0),
        "identity": lambda: lin.LinearOperatorIdentity(2, is_self_adjoint=False),
        "fractional size": lambda: lin.LinearOperatorIdentity(2.0),
        "negative size": lambda: lin.LinearOperatorIdentity(-2),
        "zeros": lambda: lin.LinearOperatorZeros(2, 3),
        "no operators": lambda: lin.LinearOperatorComposition([]),
        "dtypes": lambda: lin.LinearOperatorComposition([full, lin.LinearOperatorIdentity(2, dtype=tf.float64)]),
        "no permutation": lambda: lin.LinearOperatorPermutation([0, 0]),
        "permutation of floats": lambda: lin.LinearOperatorPermutation([0.0, 1.0]),
        "toeplitz": lambda: lin.LinearOperatorToeplitz([1.0], [1.0, 2.0]),
        "format": lambda: lin.LinearOperatorTridiag([[1.0]], "other"),
        "householder": lambda: lin.LinearOperatorHouseholder([1.0], is_positive_definite=True),
        "circulant": lambda: lin.LinearOperatorCirculant([1.0], is_self_adjoint=False),
        "block lower": lambda: lin.LinearOperatorBlockLowerTriangular([[full], [full]]),
        "adjoint": lambda: lin.LinearOperatorAdjoint(lin.LinearOperatorDiag([1.0]), is_self_adjoint=False),
        "inversion": lambda: lin.LinearOperatorInversion(lin.LinearOperatorZeros(2)),
        "tensor": lambda: tf.convert_to_tensor(full),
        "is a tensor": lambda: tf.is_tensor(full),
    }
