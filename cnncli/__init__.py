"""Train, evaluate and look inside small convolutional image classifiers."""

__version__ = "0.1.0"
