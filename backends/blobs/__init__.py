"""Blobs: payloads over the inline limit (claim checks), code and the catalogue."""
