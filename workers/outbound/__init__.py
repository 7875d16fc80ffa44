"""From a message row to a mail server's answer: claim, write, send, record."""
