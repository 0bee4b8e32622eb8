"""The bus: topics that fan out to queues, and the queues' deliveries."""
