"""What travels and what is stored: pure values and pure functions, no I/O."""
