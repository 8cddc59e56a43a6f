"""The twelve problems of GradBench, a file each."""

from benchmarks.gradbench.problems import ba, det, gmm, hello, ht, kmeans, llsq, lse, lstm, ode, particle, saddle

PROBLEMS = {
    module.PROBLEM.name: module.PROBLEM
    for module in (hello, llsq, lse, det, ode, kmeans, gmm, lstm, ba, ht, particle, saddle)
}
