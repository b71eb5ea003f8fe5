"""Evaluation: which images a network is tried on, and what it gets right.

Counts and scores need NumPy alone; files and pictures of them are a run's.
"""
