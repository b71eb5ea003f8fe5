"""Several processes that train one network: they meet, talk, and end in words.

Gradients don't come this way, and nothing here knows of images, networks or JAX. The
processes trust whoever reaches the coordinator's port, as JAX's own do.
"""
