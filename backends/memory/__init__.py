"""The ports in memory: executable specifications of the AWS adapters."""
