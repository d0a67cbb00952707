"""What the package shale is made of."""
