"""Graphs as operations: branches, loops, and their gradients.

| class | what it is | who asks |
| --- | --- | --- |
| `SubgraphOperation` | the base: under a tape a variant runs, which returns residuals, too | tape, trace |
| `GraphOperation` | one graph; its gradient is the operation of another graph | tape, trace, file of a SavedModel |
| `ControlFlowOperation` | the base of `Branches` and `Loop`, which run several graphs | tape, plan |
| `ReturnsResiduals` | a branch or loop with residuals among its results | tape |
| `TapeGradient` | the gradient of a branch or loop that has no graph of its own | tape |
| `CustomGradient` | a user's gradient as a graph | recording, file |
"""
