"""What eager programs use of TensorFlow 1."""
