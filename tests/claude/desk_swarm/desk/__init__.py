"""Claude agents for tests on an emulator."""
