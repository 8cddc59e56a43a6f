"""Runs the unit tests of Keras and TensorFlow, from copies that are not part of this project, with fastgrad in their place."""
