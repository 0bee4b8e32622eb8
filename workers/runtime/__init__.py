"""One batch of deliveries: acquire, execute, decide, settle."""
