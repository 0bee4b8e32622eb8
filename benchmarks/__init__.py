"""Numbers with their conditions: each benchmark runs side by side with a baseline."""
