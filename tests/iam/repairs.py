"""Housekeeping's repairs, under its role."""


def repairs(guild):
    return {}
