"""Training from epoch to epoch: order, learning rates, which weights are kept.

What a single step computes is the backend's; what becomes of the result is a run's.
"""
