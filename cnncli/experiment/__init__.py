"""A config checked as a whole: its schema, its data, its network, its memory.

Nothing here reads a pixel or imports TensorFlow.
"""
