"""Mail that comes in: received over LMTP or SMTP, read in a child process, and what each kind of message leads to."""
