"""The local mail catcher for development: SMTP in, pages and Mailpit's HTTP API out, and nothing leaves."""
