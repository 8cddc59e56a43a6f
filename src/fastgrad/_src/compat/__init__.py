"""Names of other versions of TensorFlow, and names that few programs use. Nothing else imports this package."""
