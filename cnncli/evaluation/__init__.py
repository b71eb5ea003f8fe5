"""What a network gets right, on which images."""
