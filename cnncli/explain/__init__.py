"""What the layers of a network make of an image."""
