"""The examples that train for long reach what they promise."""

import numpy as np

from tests.example_modules import load


def test_the_character_lstm_learns_the_look_of_python():
    losses, text = load("character_lstm").main()
    assert losses[-1] < 1.3 < 2.0 < losses[0]
    assert text.startswith("    def __init__(self, ")


def test_the_small_gpt_learns_and_writes():
    losses, _ = load("small_gpt").main()
    assert np.mean(losses[-50:]) < 1.4 < 3.0 < losses[0]
