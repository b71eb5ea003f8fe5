"""Pictures in one style, as bytes; whoever wants a file writes it."""
