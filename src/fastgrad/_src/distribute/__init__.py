"""Training in several processes, by MPI."""
