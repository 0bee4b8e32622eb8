"""The container worker: the same runtime as behind Lambda, fed by long polling.

For agents that run longer than Lambda allows, or where containers are what one has.
"""
