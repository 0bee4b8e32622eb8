"""Errors of the local launcher."""

from sqswarm.schemas.errors import SwarmError


class EmulatorError(SwarmError):
    """An emulator could not be brought up, reached or stopped."""

    hint = "The emulator's log says more: see `sqswarm doctor` for its place."
    exit_code = 3
