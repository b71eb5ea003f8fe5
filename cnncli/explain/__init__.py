"""Explanations: what the layers of a network make of an image."""
