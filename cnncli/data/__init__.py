"""Images: reading, splitting, normalising."""
