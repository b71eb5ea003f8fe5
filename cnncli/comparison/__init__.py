"""Comparison of runs on the same test images: counts, tests, intervals, verdicts.

What is said of the images comes from ``predictions.csv`` alone, so that anyone can
check it; the other files of a run only add what else is known. Nothing is printed.
"""
