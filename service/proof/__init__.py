"""Pure: what anyone can check without us. Imports the standard library and `cryptography`, nothing of the service."""
