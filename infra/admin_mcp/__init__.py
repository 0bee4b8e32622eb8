"""Operations: an MCP server through which an assistant looks after a swarm and Lambda functions.

Tools are grouped as people think of them, one file a group. Each takes an `AdminContext`: the one
stage and endpoint that the server was started for, which never change under it.
"""
