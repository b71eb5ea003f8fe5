"""Tests that try the same thing a thousand times with other random numbers."""
