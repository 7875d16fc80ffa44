"""Small messages that come back, each for a class of its own, with what is right for it."""
