"""Whole training steps of fastgrad beside the same steps of other libraries: `python -m benchmarks.peers`.

Every library (a peer) runs in a process of its own, on the same data, from the same weights and with the same number of
threads; its processes stand still (SIGSTOP) while another one is timed. The slices alternate round by round, so that a
machine that gets slower does so for all peers, and the ratios are taken within each round. Before anything is timed,
twenty losses of each peer are compared: only peers that compute the same thing are compared in speed. Batches are the
library's own tensors before the clock starts; a step is forward, loss, backward and update.

A workload is one file in `workloads/`; a peer is one entry in `known.py`.
"""
