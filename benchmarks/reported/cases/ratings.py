"""Ratings of players that every game of a season changes: a loop with two reads and two writes of an array a step."""

from benchmarks.reported.case import ALL, FASTGRAD, JAX, OLD_JAX, Case

CASES = (
    Case(
        name="ratings",
        title="gradient of the likelihood of 20,000 games, ratings of 200 players updated by each",
        report="jax #817",
        link="https://github.com/jax-ml/jax/issues/817",
        story="The program stands for loops that change two entries of an array in each step: here the ratings of two players "
        "after each game.",
        arguments="""
def arguments(size):
    random = np.random.RandomState(0)
    winners = random.randint(0, 200, size)
    return np.array([0.3, 1.2]), winners, (winners + 1 + random.randint(0, 199, size)) % 200
""",
        size=20_000,
        tiny=30,
        texts={
            FASTGRAD: """
@njit
def f(p, winners, losers):
    ratings = np.zeros(200)
    total = 0.0
    for i in range(winners.size):
        winner, loser = winners[i], losers[i]
        chance = 1.0 / (1.0 + math.exp(p[1] * (ratings[loser] - ratings[winner])))
        total -= math.log(chance)
        ratings[winner] += p[0] * (1.0 - chance)
        ratings[loser] -= p[0] * (1.0 - chance)
    return total
""",
            JAX: """
def f(p, winners, losers):
    def step(carry, game):
        ratings, total = carry
        winner, loser = game
        chance = 1.0 / (1.0 + jnp.exp(p[1] * (ratings[loser] - ratings[winner])))
        change = p[0] * (1.0 - chance)
        return (ratings.at[winner].add(change).at[loser].add(-change), total - jnp.log(chance)), None
    return lax.scan(step, (jnp.zeros(200), 0.0), (winners, losers))[0][1]
""",
        },
        contestants=(FASTGRAD, JAX, OLD_JAX),
        others=ALL,
    ),
)
