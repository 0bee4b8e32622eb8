"""Fixtures of the console's tests."""

from console_stage import browse, chromium, console, deployed, swarm  # noqa: F401
