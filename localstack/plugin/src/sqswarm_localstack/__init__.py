"""LocalStack in host mode for sqswarm: no Docker, no Java. See localstack/README.md."""
