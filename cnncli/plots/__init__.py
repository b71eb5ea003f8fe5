"""The pictures, in one style."""
