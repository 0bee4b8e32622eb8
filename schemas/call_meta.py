"""Names in the `_meta` of an MCP call and of its answer, on both sides of the server."""

IDEMPOTENCY_KEY = "dev.sqswarm/idempotencyKey"
"""Of a call: a repeat with the same key and arguments finds the first one's task."""

SESSION_ID = "dev.sqswarm/sessionId"
"""Of a call: the conversation to go on with."""

TAGS = "dev.sqswarm/tags"
"""Of a call, and of a message: what its task is filed under, text by text."""

NOTIFY = "dev.sqswarm/notify"
"""Of a call, and of a message: who is told of its task's end, address by address."""

TASK_ID = "dev.sqswarm/taskId"
"""Of an answer without a result: the task that goes on."""

STATUS = "dev.sqswarm/status"
"""Of an answer without a result: the task's status."""
