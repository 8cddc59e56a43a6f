"""Products, norms, factorisations and solvers, with gradients."""

from ..differentiation import gradients, value_and_gradients

NAN = float("nan")


def products(tf):
    a = tf.constant([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
    b = tf.constant([[1.0, -1.0, 0.5], [2.0, 0.0, 1.0]])
    batch = tf.reshape(tf.range(12.0), (2, 3, 2))

    def of(*inputs, **arguments):
        return value_and_gradients(tf, lambda x, y: tf.matmul(x, y, **arguments), *inputs)

    return {
        "matmul": lambda: of(a, b),
        "transpose_a": lambda: of(a, a, transpose_a=True),
        "transpose_b": lambda: of(a, a, transpose_b=True),
        "both transposed": lambda: of(a, b, transpose_a=True, transpose_b=True),
        "adjoint_a": lambda: tf.matmul(a, a, adjoint_a=True),
        "transpose and adjoint": lambda: tf.matmul(a, a, transpose_a=True, adjoint_a=True),
        "batched": lambda: of(batch, tf.transpose(batch, (0, 2, 1))),
        "broadcast batch": lambda: of(batch, b),
        "broadcast batch left": lambda: of(b, batch),
        "of ints": lambda: tf.matmul([[1, 2]], [[3], [4]]),
        "of lists": lambda: tf.matmul([[1.0, 2.0]], [[3.0], [4.0]]),
        "inner sizes differ": lambda: tf.matmul(a, a),
        "batch sizes differ": lambda: tf.matmul(tf.ones((2, 1, 1)), tf.ones((3, 1, 1))),
        "vector": lambda: tf.matmul(a, tf.constant([1.0, 2.0])),
        "scalar": lambda: tf.matmul(a, 2.0),
        "with nan times zero": lambda: tf.matmul([[0.0, 1.0]], [[NAN], [1.0]]),
        "bfloat16": lambda: tf.matmul(tf.ones((1, 4), tf.bfloat16), tf.ones((4, 1), tf.bfloat16)),
        "output_type": lambda: tf.matmul(tf.ones((1, 2), tf.int8), tf.ones((2, 1), tf.int8), output_type=tf.int32),
        "matvec": lambda: value_and_gradients(tf, tf.linalg.matvec, a, tf.constant([1.0, 2.0])),
        "matvec transposed": lambda: tf.linalg.matvec(a, [1.0, 2.0, 3.0], transpose_a=True),
        "matvec misfit": lambda: tf.linalg.matvec(a, [1.0, 2.0, 3.0]),
        "tensordot int": lambda: value_and_gradients(tf, lambda x, y: tf.tensordot(x, y, 1), a, b),
        "tensordot axes": lambda: tf.tensordot(batch, a, [[1, 2], [0, 1]]),
        "tensordot zero": lambda: tf.tensordot([1.0, 2.0], [3.0, 4.0], 0),
        "tensordot misfit": lambda: tf.tensordot(a, a, 1),
        "outer by einsum": lambda: tf.einsum("i,j->ij", tf.constant([1.0, 2.0]), tf.constant([3.0, 4.0])),
        "cross": lambda: tf.linalg.cross([1.0, 0.0, 0.0], [0.0, 1.0, 0.0]),
        "scalar_mul": lambda: tf.math.scalar_mul(2.0, a),
        "multiply_no_nan": lambda: tf.math.multiply_no_nan(a, 0.0),
    }


def einsum(tf):
    a = tf.constant([[1.0, 2.0], [3.0, 4.0]])
    b = tf.constant([[0.5, 1.0], [-1.0, 2.0]])
    batch = tf.reshape(tf.range(8.0), (2, 2, 2))

    def of(equation, *inputs):
        return value_and_gradients(tf, lambda *values: tf.einsum(equation, *values), *inputs)

    return {
        "matmul": lambda: of("ij,jk->ik", a, b),
        "implicit output": lambda: of("ij,jk", a, b),
        "transpose": lambda: of("ij->ji", a),
        "trace": lambda: of("ii->", a),
        "diagonal": lambda: of("ii->i", a),
        "sum": lambda: of("ij->", a),
        "inner": lambda: of("ij,ij->", a, b),
        "batch": lambda: of("bij,bjk->bik", batch, batch),
        "ellipsis": lambda: of("...ij,jk->...ik", batch, a),
        "three operands": lambda: of("ij,jk,kl->il", a, b, a),
        "spaces": lambda: tf.einsum(" ij , jk -> ik ", a, b),
        "bilinear": lambda: of("bi,ij,bj->b", a, b, a),
        "unknown output letter": lambda: tf.einsum("ij->ik", a),
        "too few operands": lambda: tf.einsum("ij,jk->ik", a),
        "misfit": lambda: tf.einsum("ij,jk->ik", a, tf.ones((3, 2))),
        "wrong rank": lambda: tf.einsum("ijk->i", a),
    }


def norms(tf):
    x = tf.constant([[3.0, -4.0], [1.0, 2.0]])

    def of(*arguments, **keywords):
        return value_and_gradients(tf, lambda v: tf.norm(v, *arguments, **keywords), x)

    return {
        "default": lambda: of(),
        "1": lambda: of(1),
        "infinity": lambda: of(float("inf")),
        "3": lambda: of(3),
        "axis": lambda: of(axis=1),
        "axis and ord": lambda: of(1, axis=0),
        "keepdims": lambda: of(axis=1, keepdims=True),
        "fro": lambda: of("fro", axis=[0, 1]),
        "matrix 1": lambda: of(1, axis=(0, 1)),
        "matrix infinity": lambda: of(float("inf"), axis=(0, 1)),
        "matrix 2": lambda: tf.norm(x, 2, axis=(0, 1)),
        "unknown": lambda: tf.norm(x, "nonsense"),
        "zero": lambda: tf.norm(x, 0),
        "of ints": lambda: tf.norm(tf.constant([3, 4])),
        "global_norm": lambda: tf.linalg.global_norm([x, x]),
        "normalize": lambda: tf.linalg.normalize(x, axis=1),
        "l2_normalize": lambda: value_and_gradients(tf, lambda v: tf.math.l2_normalize(v, axis=1), x),
        "l2_normalize epsilon": lambda: tf.math.l2_normalize([1e-8, 0.0]),
        "l2_loss": lambda: value_and_gradients(tf, tf.nn.l2_loss, x),
    }


def square_matrices(tf):
    a = tf.constant([[4.0, 1.0], [2.0, 3.0]], tf.float64)
    spd = tf.constant([[4.0, 1.0], [1.0, 3.0]], tf.float64)
    singular = tf.constant([[1.0, 2.0], [2.0, 4.0]], tf.float64)
    right = tf.constant([[1.0], [2.0]], tf.float64)
    return {
        "inv": lambda: value_and_gradients(tf, tf.linalg.inv, a),
        "inv singular": lambda: tf.linalg.inv(singular),
        "inv not square": lambda: tf.linalg.inv(tf.ones((2, 3))),
        "inv adjoint": lambda: tf.linalg.inv(a, adjoint=True),
        "det": lambda: value_and_gradients(tf, tf.linalg.det, a),
        "det singular": lambda: tf.linalg.det(singular),
        "det batch": lambda: tf.linalg.det(tf.stack([a, spd])),
        "slogdet": lambda: list(tf.linalg.slogdet(-a)),
        "logdet": lambda: value_and_gradients(tf, tf.linalg.logdet, spd),
        "cholesky": lambda: value_and_gradients(tf, tf.linalg.cholesky, spd),
        "cholesky_solve": lambda: tf.linalg.cholesky_solve(tf.linalg.cholesky(spd), right),
        "solve": lambda: value_and_gradients(tf, tf.linalg.solve, a, right),
        "solve adjoint": lambda: tf.linalg.solve(a, right, adjoint=True),
        "solve singular": lambda: tf.linalg.solve(singular, right),
        "solve misfit": lambda: tf.linalg.solve(a, tf.ones((3, 1), tf.float64)),
        "triangular_solve": lambda: value_and_gradients(tf, tf.linalg.triangular_solve, spd, right),
        "triangular_solve upper": lambda: tf.linalg.triangular_solve(a, right, lower=False),
        "triangular_solve adjoint": lambda: tf.linalg.triangular_solve(a, right, adjoint=True),
        "lstsq": lambda: tf.linalg.lstsq(tf.constant([[1.0, 0.0], [1.0, 1.0], [1.0, 2.0]]), [[1.0], [2.0], [4.0]]),
        "eigh": lambda: tf.linalg.eigh(spd)[0],
        "eigvalsh": lambda: value_and_gradients(tf, tf.linalg.eigvalsh, spd),
        "eigh rebuilds": lambda: (lambda e, v: v @ tf.linalg.diag(e) @ tf.transpose(v))(*tf.linalg.eigh(spd)),
        "svd values": lambda: value_and_gradients(tf, lambda x: tf.linalg.svd(x, compute_uv=False), a),
        "svd order": lambda: [tf.shape(part) for part in tf.linalg.svd(tf.ones((3, 2)))],
        "svd full": lambda: [tf.shape(part) for part in tf.linalg.svd(tf.ones((3, 2)), full_matrices=True)],
        "svd rebuilds": lambda: (lambda s, u, v: u @ tf.linalg.diag(s) @ tf.transpose(v))(*tf.linalg.svd(a)),
        "qr shapes": lambda: [tf.shape(part) for part in tf.linalg.qr(tf.ones((3, 2)))],
        "qr full": lambda: [tf.shape(part) for part in tf.linalg.qr(tf.ones((3, 2)), full_matrices=True)],
        "qr rebuilds": lambda: (lambda q, r: q @ r)(*tf.linalg.qr(a)),
        "pinv": lambda: tf.linalg.pinv(a),
        "matrix_rank": lambda: tf.linalg.matrix_rank(singular),
        "expm": lambda: tf.linalg.expm(tf.constant([[0.0, 1.0], [0.0, 0.0]])),
        "sqrtm": lambda: tf.linalg.sqrtm(spd),
        "logm": lambda: tf.linalg.logm(tf.constant([[2.0 + 0j, 0j], [0j, 3.0 + 0j]])),
        "adjoint": lambda: tf.linalg.adjoint(a),
    }


def diagonals(tf):
    m = tf.constant([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0], [7.0, 8.0, 9.0]])
    v = tf.constant([1.0, 2.0])
    return {
        "diag": lambda: value_and_gradients(tf, tf.linalg.diag, v),
        "diag above": lambda: tf.linalg.diag(v, k=1),
        "diag below": lambda: tf.linalg.diag(v, k=-1),
        "diag padded": lambda: tf.linalg.diag(v, padding_value=7.0),
        "diag_part": lambda: value_and_gradients(tf, tf.linalg.diag_part, m),
        "diag_part above": lambda: tf.linalg.diag_part(m, k=1),
        "diag_part band": lambda: tf.linalg.diag_part(m, k=(-1, 1)),
        "set_diag": lambda: tf.linalg.set_diag(m, [0.0, 0.0, 0.0]),
        "set_diag gradient": lambda: gradients(tf, tf.linalg.set_diag, m, tf.constant([0.0, 0.0, 0.0])),
        "trace": lambda: value_and_gradients(tf, tf.linalg.trace, m),
        "band_part lower": lambda: tf.linalg.band_part(m, -1, 0),
        "band_part upper": lambda: tf.linalg.band_part(m, 0, -1),
        "band_part band": lambda: value_and_gradients(tf, lambda x: tf.linalg.band_part(x, 1, 0), m),
        "tensor_diag": lambda: tf.linalg.tensor_diag([1, 2]),
        "tensor_diag_part": lambda: tf.linalg.tensor_diag_part(m),
        "eye": lambda: tf.linalg.eye(2),
        "matrix_transpose": lambda: tf.linalg.matrix_transpose(tf.reshape(tf.range(8), (2, 2, 2))),
        "batched diag": lambda: tf.linalg.diag([[1, 2], [3, 4]]),
    }
