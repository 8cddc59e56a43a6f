"""SavedModels as TensorFlow's users export them: ``user_models.tar.xz`` and ``user_answers.npz``.

Run it with TensorFlow 2 and Keras 3, from the root of the repository: ``python -m tests.files.saved_model.tensorflow_models.user_models``.
"""

import sys

import numpy as np

from tests.files.saved_model.tensorflow_models import record

TEXTS = ["The quick brown fox!", "a lazy dog, a DOG", "", "fox unseen words"]


def floats(*shape):
    """Normal numbers of a shape."""
    return np.random.default_rng(sum(shape)).normal(size=shape).astype("float32")


def png_bytes(tf):
    """An image as a PNG file."""
    return tf.io.encode_png(np.arange(8 * 10 * 3, dtype="uint8").reshape(8, 10, 3))


def examples(tf):
    """Two serialized examples."""
    feature = tf.train.Feature
    return [
        tf.train.Example(
            features=tf.train.Features(
                feature={
                    "age": feature(float_list=tf.train.FloatList(value=[age])),
                    "words": feature(bytes_list=tf.train.BytesList(value=words)),
                    "sizes": feature(int64_list=tf.train.Int64List(value=range(len(words)))),
                }
            )
        ).SerializeToString()
        for age, words in ((31.0, [b"a", b"b"]), (7.5, [b"c"]))
    ]


def tensors(tf, value):
    """The tensors of a result in one list; those of a ragged or sparse tensor are its parts."""
    if isinstance(value, dict):
        return [item for key in sorted(value) for item in tensors(tf, value[key])]
    if isinstance(value, (list, tuple)):
        return [item for part in value for item in tensors(tf, part)]
    if isinstance(value, tf.RaggedTensor):
        return [value.flat_values, *value.nested_row_splits]
    if isinstance(value, tf.SparseTensor):
        return [value.indices, value.values, value.dense_shape]
    return [value]


CALLS = {
    "text_classifier": lambda tf, m: m.serve(tf.constant(TEXTS)),
    "tfidf": lambda tf, m: m.serve(tf.constant(TEXTS)),
    "images": lambda tf, m: m.serve(tf.constant(floats(2, 9, 9, 3))),
    "recommender": lambda tf, m: m.serve(
        [tf.constant([["ann"], ["bob"], ["eve"]]), tf.constant([[10], [30], [99]], tf.int64)]
    ),
    "detector": lambda tf, m: m.detect(tf.constant(floats(2, 6, 4)), tf.nn.sigmoid(floats(2, 6, 3))),
    "tagger": lambda tf, m: [
        m.tag(tf.ragged.constant([[1, 2, 3], [], [4]], dtype=tf.int64)),
        m.lengths(tf.ragged.constant([["a b", "c"], []])),
    ],
    "image_bytes": lambda tf, m: m.serve_bytes(tf.stack([png_bytes(tf)] * 2)),
    "examples": lambda tf, m: m.signatures["serving_default"](examples=tf.constant(examples(tf))),
    "vocabulary": lambda tf, m: [m.ids(tf.constant(["fox", "dog", "cat"])), m.names(tf.constant([0, 1, 7], tf.int64))],
    "generator": lambda tf, m: [m.draw(tf.constant([1, 2])), m.next(), m.next()],
    "tabular": lambda tf, m: m.serve(
        {
            "age": tf.constant([[31.0], [70.0]]),
            "city": tf.constant([["x"], ["q"]]),
            "job": tf.constant([["cook"], ["smith"]]),
        }
    ),
    "speech": lambda tf, m: m.features(tf.constant(floats(2, 400))),
    "segmentation": lambda tf, m: m.serve(tf.constant(floats(1, 8, 8, 3))),
    "series": lambda tf, m: m.serve(tf.constant(floats(2, 12, 2))),
    "decoder": lambda tf, m: m.generate(tf.constant([[1, 2], [3, 4]])),
    "trainer": lambda tf, m: (
        [m.step(tf.constant(floats(4, 3)), tf.constant(floats(4, 1))) for _ in range(3)]
        + [m.predict(tf.constant(floats(4, 3)))]
    ),
    "counters": lambda tf, m: [
        m.get(tf.constant(["a", "b", "z"])),
        m.put(tf.constant(["z"])),
        m.get(tf.constant(["a", "z"])),
    ],
    "sentences": lambda tf, m: m.clean(tf.constant(TEXTS)),
}
"""For each model what is called."""


def all_answers(tf, load):
    """The answers of all models by name; ``load`` loads a model by its name."""
    return {name: tensors(tf, call(tf, load(name))) for name, call in CALLS.items()}


def make_models(tf, keras, folder):  # noqa: C901  # one class for each model
    """Writes the models."""
    keras.utils.set_random_seed(5)
    layers, Input = keras.layers, keras.Input

    def export(name, model):
        model.export(folder / name, verbose=False)

    def function(*specs):
        return tf.function(
            input_signature=[tf.TensorSpec(*spec) if isinstance(spec, tuple) else spec for spec in specs]
        )

    text = Input([], dtype="string")
    vectorization = layers.TextVectorization(12, output_sequence_length=5)
    vectorization.adapt(TEXTS[:2])
    embedded = layers.GlobalAveragePooling1D()(layers.Embedding(12, 4, mask_zero=True)(vectorization(text)))
    export("text_classifier", keras.Model(text, layers.Dense(2, "softmax")(embedded)))
    tfidf = layers.TextVectorization(10, ngrams=2, output_mode="tf_idf")
    tfidf.adapt(TEXTS[:2])
    export("tfidf", keras.Model(text, tfidf(text)))

    image = Input([None, None, 3])
    x = layers.RandomRotation(0.1)(layers.RandomFlip()(layers.Rescaling(1 / 255)(layers.Resizing(6, 6)(image))))
    export("images", keras.Model(image, layers.Dense(2)(layers.GlobalAveragePooling2D()(layers.Conv2D(4, 3)(x)))))

    user, item = Input([1], dtype="string"), Input([1], dtype="int64")
    users = layers.Embedding(4, 3)(layers.StringLookup(vocabulary=["ann", "bob"])(user))
    items = layers.Embedding(5, 3)(layers.IntegerLookup(vocabulary=[10, 20, 30])(item))
    score = layers.Dot(-1)([layers.Flatten()(users), layers.Flatten()(items)])
    label = layers.StringLookup(vocabulary=["no", "yes"], invert=True)(keras.ops.cast(score > 0, "int64") + 1)
    export("recommender", keras.Model([user, item], [score, label]))

    class Detector(tf.Module):
        @function(([None, 6, 4],), ([None, 6, 3],))
        def detect(self, boxes, scores):
            boxes = tf.concat([boxes[..., :2], boxes[..., :2] + tf.abs(boxes[..., 2:])], -1)
            kept = tf.image.non_max_suppression(boxes[0], scores[0, :, 0], 4, 0.3, 0.1)
            soft = tf.image.non_max_suppression_with_scores(boxes[0], scores[0, :, 0], 4, 0.3, 0.1, 0.5)
            padded = tf.image.non_max_suppression_padded(boxes[0], scores[0, :, 0], 5, 0.3, pad_to_max_output_size=True)
            combined = tf.image.combined_non_max_suppression(boxes[:, :, None], scores, 3, 5)
            return tf.gather(boxes[0], kept), list(soft), list(padded), list(combined)

    tf.saved_model.save(Detector(), folder / "detector")

    class Tagger(tf.Module):
        def __init__(self):
            self.embedding = tf.Variable(floats(6, 3))
            self.lstm = layers.Bidirectional(layers.LSTM(4, return_sequences=True))
            self.lstm.build([None, None, 3])

        @function(tf.RaggedTensorSpec([None, None], tf.int64))
        def tag(self, tokens):
            dense = tf.gather(self.embedding, tokens.to_tensor())
            y = self.lstm(dense, mask=tf.sequence_mask(tokens.row_lengths()))
            return {"tags": tf.RaggedTensor.from_tensor(y, tokens.row_lengths()), "sums": tf.reduce_sum(tokens, 1)}

        @function(tf.RaggedTensorSpec([None, None], tf.string))
        def lengths(self, words):
            return tf.ragged.map_flat_values(tf.strings.length, words), tf.strings.split(words.flat_values)

    tf.saved_model.save(Tagger(), folder / "tagger")

    class ImageBytes(tf.Module):
        @function(([None], tf.string))
        def serve_bytes(self, files):
            def decode(file):
                pixels = tf.image.convert_image_dtype(tf.io.decode_image(file, 3, expand_animations=False), tf.float32)
                pixels.set_shape([None, None, 3])
                nearest = tf.image.resize(tf.io.decode_png(file, 3), [4, 4], "nearest")
                return tf.image.resize(pixels, [5, 5], "bicubic"), tf.image.resize_with_pad(pixels, 6, 5), nearest

            signature = (tf.float32, tf.float32, tf.uint8)
            return tf.map_fn(decode, files, fn_output_signature=signature)

    tf.saved_model.save(ImageBytes(), folder / "image_bytes")

    class Examples(tf.Module):
        @function(tf.TensorSpec([None], tf.string, "examples"))
        def parse(self, examples):
            features = {
                "age": tf.io.FixedLenFeature([1], tf.float32),
                "words": tf.io.VarLenFeature(tf.string),
                "sizes": tf.io.RaggedFeature(tf.int64),
                "rank": tf.io.FixedLenFeature([2], tf.int64, [4, 5]),
            }
            parsed = tf.io.parse_example(examples, features)
            words = tf.strings.reduce_join(tf.sparse.to_dense(parsed["words"]), 1)
            return {"age": parsed["age"], "words": words, "sizes": parsed["sizes"].to_tensor(), "rank": parsed["rank"]}

    module = Examples()
    tf.saved_model.save(module, folder / "examples", signatures=module.parse)

    class Vocabulary(tf.Module):
        def __init__(self):
            path = folder.parent / "vocabulary.txt"
            path.write_text("fox\ndog\n")
            lookup = tf.lookup
            file = lookup.TextFileInitializer(
                str(path), tf.string, lookup.TextFileIndex.WHOLE_LINE, tf.int64, lookup.TextFileIndex.LINE_NUMBER
            )
            back = lookup.TextFileInitializer(
                str(path), tf.int64, lookup.TextFileIndex.LINE_NUMBER, tf.string, lookup.TextFileIndex.WHOLE_LINE
            )
            self.terms = lookup.StaticVocabularyTable(file, 3)
            self.labels = lookup.StaticHashTable(back, "none")

        @function(([None], tf.string))
        def ids(self, terms):
            return self.terms.lookup(terms), self.terms.size()

        @function(([None], tf.int64))
        def names(self, ids):
            return self.labels.lookup(ids)

    tf.saved_model.save(Vocabulary(), folder / "vocabulary")

    class Generator(tf.Module):
        def __init__(self):
            self.generator = tf.random.Generator.from_seed(7)

        @function(([2], tf.int32))
        def draw(self, seed):
            normal = tf.random.stateless_normal([3, 2], seed)
            return (
                normal,
                tf.random.stateless_uniform([4], seed),
                tf.random.stateless_uniform([4], seed, 0, 9, tf.int32),
            )

        @function()
        def next(self):
            return self.generator.normal([3]), self.generator.uniform([2])

    tf.saved_model.save(Generator(), folder / "generator")

    age, city, job = (
        Input([1], name="age"),
        Input([1], dtype="string", name="city"),
        Input([1], dtype="string", name="job"),
    )
    parts = [
        layers.Normalization(mean=40.0, variance=100.0)(age),
        layers.CategoryEncoding(4)(layers.Discretization([30.0, 50.0, 60.0])(age)),
        layers.StringLookup(vocabulary=["x", "y"], output_mode="multi_hot")(city),
        layers.CategoryEncoding(5)(layers.Hashing(5)(job)),
        layers.HashedCrossing(6, output_mode="one_hot")((city, job)),
    ]
    features = layers.Concatenate()(parts)
    export("tabular", keras.Model({"age": age, "city": city, "job": job}, [features, layers.Dense(1)(features)]))

    class Speech(tf.Module):
        @function(([None, None],))
        def features(self, waves):
            spectra = tf.abs(tf.signal.stft(waves, 64, 32, 64))
            mel = spectra @ tf.signal.linear_to_mel_weight_matrix(8, 33, 8000, 80.0, 3800.0)
            return spectra, tf.signal.mfccs_from_log_mel_spectrograms(tf.math.log(mel + 1e-3))

    tf.saved_model.save(Speech(), folder / "speech")

    pixels = Input([8, 8, 3])
    low = layers.SeparableConv2D(4, 3, strides=2, padding="same", activation="relu")(pixels)
    high = layers.Conv2DTranspose(3, 3, strides=2, padding="same")(layers.SpatialDropout2D(0.2)(low))
    joined = layers.Concatenate()([high, layers.UpSampling2D(interpolation="bilinear")(low), pixels])
    normal = layers.GroupNormalization(5)(joined)
    export("segmentation", keras.Model(pixels, keras.ops.argmax(layers.Conv2D(2, 1)(normal), -1)))

    steps = Input([12, 2])
    causal = layers.Conv1D(4, 3, padding="causal", dilation_rate=2, activation="gelu")(steps)
    pooled = layers.AveragePooling1D(2)(causal)
    export(
        "series",
        keras.Model(steps, layers.Dense(1)(layers.GRU(3, reset_after=True)(layers.Attention()([pooled, pooled])))),
    )

    class Decoder(tf.Module):
        def __init__(self):
            self.embedding = layers.Embedding(9, 4)
            self.cell = layers.GRUCell(4)
            self.head = layers.Dense(9)
            self.embedding.build([None])
            self.cell.build([None, 4])
            self.head.build([None, 4])

        @function(([None, None], tf.int32))
        def generate(self, prompt):
            state = tf.zeros([tf.shape(prompt)[0], 4])
            tokens = tf.TensorArray(tf.int32, 0, dynamic_size=True)
            last = prompt[:, 0]
            for i in tf.range(tf.shape(prompt)[1] + 4):
                output, (state,) = self.cell(self.embedding(last), [state])
                logits, indices = tf.math.top_k(self.head(output), 3)
                last = indices[:, 0] if i + 1 >= tf.shape(prompt)[1] else prompt[:, i + 1]
                tokens = tokens.write(i, last)
                if tf.reduce_all(tf.equal(last, 0)):
                    break
            return tf.transpose(tokens.stack()), logits

    tf.saved_model.save(Decoder(), folder / "decoder")

    class Trainer(tf.Module):
        def __init__(self):
            self.w, self.b = tf.Variable(floats(3, 1)), tf.Variable([0.5])
            self.steps = tf.Variable(0, dtype=tf.int64)
            self.optimizer = keras.optimizers.Adam(0.1)
            self.optimizer.build([self.w, self.b])

        @function(([None, 3],))
        def predict(self, x):
            return x @ self.w + self.b

        @function(([None, 3],), ([None, 1],))
        def step(self, x, y):
            with tf.GradientTape() as tape:
                loss = tf.reduce_mean(tf.math.squared_difference(self.predict(x), y))
            gradients = tape.gradient(loss, [self.w, self.b])
            self.optimizer.apply_gradients(
                zip(tf.clip_by_global_norm(gradients, 1.0)[0], [self.w, self.b], strict=True)
            )
            self.steps.assign_add(1)
            return loss

    tf.saved_model.save(Trainer(), folder / "trainer")

    class Counters(tf.Module):
        def __init__(self):
            self.counts = tf.lookup.experimental.MutableHashTable(tf.string, tf.int64, -1)
            self.counts.insert(["a", "b"], tf.constant([3, 4], tf.int64))

        @function(([None], tf.string))
        def get(self, keys):
            return self.counts.lookup(keys), self.counts.size()

        @function(([None], tf.string))
        def put(self, keys):
            self.counts.insert(keys, tf.ones_like(self.counts.lookup(keys)))
            return self.counts.size()

    tf.saved_model.save(Counters(), folder / "counters")

    class Sentences(tf.Module):
        @function(([None], tf.string))
        def clean(self, texts):
            lower = tf.strings.regex_replace(tf.strings.lower(texts), "[^a-z ]", "")
            words = tf.strings.split(lower)
            pairs = tf.strings.ngrams(words, 2)
            hashed = tf.strings.to_hash_bucket_fast(words, 50)
            letters = tf.strings.unicode_decode(lower, "UTF-8")
            return words, pairs, hashed.to_tensor(-1), letters, words.to_sparse()

    tf.saved_model.save(Sentences(), folder / "sentences")


if __name__ == "__main__":
    sys.exit(
        record.main(
            make_models, lambda tf, load, folder: all_answers(tf, load), "user_models.tar.xz", "user_answers.npz"
        )
    )
