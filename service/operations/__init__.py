"""Running the service: what goes wrong with it, and who is told."""
