"""The network on TensorFlow: built, trained step by step, predicting.

What knows a backend lives here and nowhere else; what to do with a network does not.
"""
