"""The network on JAX, on several devices and in several processes: it is trained there.

All that processes compute together are training steps; the rest each does by itself.
"""
