"""The task store: conditional writes and reads of one table."""
