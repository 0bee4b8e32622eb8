"""The agents that the end-to-end tests deploy."""
