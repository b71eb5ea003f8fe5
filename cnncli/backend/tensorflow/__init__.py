"""The network on TensorFlow: trained step by step, looked into, exported."""
