"""The ports: what the core asks of a store, a bus and a blob store."""
