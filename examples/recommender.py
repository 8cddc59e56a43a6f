"""A recommender finds the tastes behind ratings: embeddings of users and films, on ratings made from known ones.

Each user and each film has a point on a plane, a rating says how near the two are. From a tenth of the ratings,
with the noise that is on them, the model has to tell the others.
"""

import numpy as np

import fastgrad as tf

USERS, FILMS, RATINGS, WIDTH, NOISE = 2000, 1000, 200_000, 8, 0.1


class Recommender(tf.keras.Model):
    """Ratings of pairs of a user and a film: the product of their embeddings, and a bias of each."""

    def __init__(self):
        super().__init__()
        layers, small = tf.keras.layers, tf.keras.initializers.RandomNormal(stddev=0.1)
        self.users = layers.Embedding(USERS, WIDTH, embeddings_initializer=small)
        self.films = layers.Embedding(FILMS, WIDTH, embeddings_initializer=small)
        self.user_bias, self.film_bias = layers.Embedding(USERS, 1), layers.Embedding(FILMS, 1)

    def call(self, pairs):
        """The ratings of pairs of ids, shape (n, 2)."""
        user, film = pairs[:, 0], pairs[:, 1]
        match = tf.reduce_sum(self.users(user) * self.films(film), axis=-1)
        return match + self.user_bias(user)[:, 0] + self.film_bias(film)[:, 0]


def make_ratings(random):
    """Pairs of a user and a film, and their ratings, of which the last tenth is for the test."""
    users, films = random.normal(size=(USERS, 2)), random.normal(size=(FILMS, 2))
    pairs = np.stack([random.integers(USERS, size=RATINGS), random.integers(FILMS, size=RATINGS)], axis=1)
    distance = np.sum((users[pairs[:, 0]] - films[pairs[:, 1]]) ** 2, axis=1)
    ratings = -0.5 * distance + NOISE * random.normal(size=RATINGS)
    return pairs.astype(np.int32), ratings.astype(np.float32), users


def explained(found, known):
    """The share of the known coordinates' variance that a linear map of the found ones gives."""
    found = np.column_stack([found, np.ones(len(found))])
    rest = known - found @ np.linalg.lstsq(found, known, rcond=None)[0]
    return 1 - rest.var() / known.var()


def main(epochs=8):
    tf.keras.utils.set_random_seed(0)
    pairs, ratings, users = make_ratings(np.random.default_rng(0))
    split = RATINGS * 9 // 10
    model = Recommender()
    steps = epochs * -(-split // 512)
    model.compile(tf.keras.optimizers.Adam(tf.keras.optimizers.schedules.CosineDecay(0.02, steps)), loss="mse")
    model.fit(pairs[:split], ratings[:split], batch_size=512, epochs=epochs, verbose=0)
    error = model.evaluate(pairs[split:], ratings[split:], batch_size=4096, verbose=0) ** 0.5
    share = explained(model.users.embeddings.numpy(), users)
    print(f"error {error:.3f} (the noise alone: {NOISE}), of the ratings' deviation {ratings.std():.2f}")
    print(f"{100 * share:.1f} % of the users' places are in their embeddings")
    return error, share


if __name__ == "__main__":
    main()
