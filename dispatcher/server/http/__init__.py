"""The HTTP API: tasks and events for whoever speaks plain JSON. See docs/http.md."""
