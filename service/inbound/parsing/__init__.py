"""Pure: what a message that came in is, read from its bytes alone; bounded in time and memory, without database or network."""
