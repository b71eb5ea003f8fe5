"""What runs on JAX, in a process of its own: Keras has one backend a process.

``tests/test_jax.py`` runs these checks, and hands them what TensorFlow made.
"""
