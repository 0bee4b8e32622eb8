"""The server: the swarm over HTTP, for MCP clients and for whoever speaks plain JSON."""
