"""Extension types: classes of tensors and Python values, and the dispatch of functions for them; see ``tf.experimental``."""
