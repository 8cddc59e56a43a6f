"""What slides over arrays: convolution and pooling."""
