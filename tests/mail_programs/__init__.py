"""What mail programs show of a letter: six readers of MIME, four of which share no line of code with ours or each other."""
