"""A hidden Markov model of hmmkay: sampling, likelihood, decoding, fit."""

import numpy as np
from hmmkay import HMM

start, transitions = np.array([0.6, 0.4]), np.array([[0.7, 0.3], [0.4, 0.6]])
emissions = np.array([[0.2, 0.4, 0.4], [0.5, 0.4, 0.1]])
model = HMM(start, transitions, emissions, n_iter=2)
observations = np.array([[0, 1, 2, 0, 1], [2, 1, 0, 0, 2]], dtype=np.int32)
model.log_likelihood(observations)
model.decode(observations)
model.sample(n_seq=2, n_obs=4)
model.fit(observations)
