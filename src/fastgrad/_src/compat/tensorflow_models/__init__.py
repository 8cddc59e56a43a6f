"""The reader of SavedModels that TensorFlow has written: ``saved_model.pb``, and a checkpoint of the variables.

``structures`` has the arguments and results of functions, ``graph_functions`` the graphs, ``operations`` and ``lookup_tables`` what
their nodes compute, and ``objects`` the object graph. The messages and the checkpoint are read by ``fastgrad.io``.
"""
