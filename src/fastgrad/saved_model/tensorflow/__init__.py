"""The reader of SavedModels that TensorFlow has written: ``saved_model.pb``, and a checkpoint of the variables.

``messages`` has the protocol buffers, ``tensor_bundle`` the checkpoint, ``structures`` the arguments and results of functions,
``graph_functions`` the graphs and ``operations`` what their nodes compute, and ``objects`` the object graph.
"""
