"""Convolution by hand: the arithmetic of a lesson, on NumPy alone."""
