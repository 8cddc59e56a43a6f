"""The reader of SavedModels that TensorFlow has written: ``saved_model.pb``, and a checkpoint of the variables.

``structures`` has the arguments and results of functions, ``graph_functions`` the graphs, ``operations`` and ``lookup_tables`` the
operations of their nodes, and ``objects`` the object graph. ``fastgrad.io`` reads the messages and the checkpoint.
"""
