"""Where the runtime runs: behind Lambda, or fed by long polling in a container."""
