"""OpenTelemetry: spans of what the swarm does. Importing it takes the extra `sqswarm[otel]`.

A task is one span, made by whoever records its end, with an id that follows from the task's: so its
children and whoever waits for it know it before it is there, and a killed worker takes none with
it that others hang on. Below it lie its waits in the queue, its attempts (also those whose workers
were lost, told of by the next), their steps, and its children's tasks.
"""

from sqswarm.dispatcher.otel.middleware import Tracing
from sqswarm.dispatcher.otel.provider import flush, start

__all__ = ["Tracing", "flush", "start"]
