"""``tf.distribute``: training on several processes, by MPI."""
