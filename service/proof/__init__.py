"""Pure: what anyone can check without us. Imports the standard library and `cryptography`, nothing of the service.

Begin with `verify`. `python -m service.proof FILE…` runs it.
"""
