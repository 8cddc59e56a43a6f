"""``keras.preprocessing.text``: words as integers."""

import json

TEXTS = ["The cat sat on the mat.", "The dog, the cat;\tand a DOG!", ["already", "The", "words"], ""]
NEW_TEXTS = ["a cat and an owl", "the mat", ""]


def values(tf):
    text = tf.keras.preprocessing.text

    def tokens(fit_twice=False, **arguments):
        tokenizer = text.Tokenizer(**arguments)
        tokenizer.fit_on_texts(TEXTS)
        if fit_twice:
            tokenizer.fit_on_texts(NEW_TEXTS)
        tokenizer.analyzer = None  # new texts are split into words
        sequences = tokenizer.texts_to_sequences(NEW_TEXTS)
        return [
            sequences,
            tokenizer.sequences_to_texts([*sequences, [1, 400, 2]]),
            [tokenizer.texts_to_matrix(NEW_TEXTS, mode) for mode in ("binary", "count", "freq", "tfidf")],
            sorted(tokenizer.word_index.items()),
            sorted(tokenizer.word_docs.items()),
            sorted(tokenizer.index_docs.items()),
            tokenizer.document_count,
            json.loads(tokenizer.to_json())["class_name"] == "Tokenizer",
        ]

    def of_sequences():
        tokenizer = text.Tokenizer(num_words=5)
        tokenizer.fit_on_sequences([[1, 2, 2], [2, 3]])
        return [
            tokenizer.sequences_to_matrix([[1, 2, 2, 7], []], mode) for mode in ("binary", "count", "freq", "tfidf")
        ]

    return {
        "words": lambda: [
            text.text_to_word_sequence(TEXTS[1]),
            text.text_to_word_sequence("A-b c", filters="b", lower=False, split="-"),
        ],
        "hashes": lambda: [
            text.hashing_trick(TEXTS[0], 100, "md5"),
            text.hashing_trick("a b", 7, len, analyzer=str.split),
        ],
        "tokenizer": tokens,
        "tokenizer twice": lambda: tokens(fit_twice=True),
        "few words": lambda: tokens(num_words=3),
        "unknown words": lambda: tokens(oov_token="?"),
        "few and unknown words": lambda: tokens(num_words=4, oov_token="?"),
        "characters": lambda: tokens(char_level=True, lower=False),
        "analyzer": lambda: tokens(analyzer=lambda line: line.split("t")),
        "tokenizer of sequences": of_sequences,
    }
