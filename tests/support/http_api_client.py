"""The API as one caller uses it."""


class Api:
    """The API as one caller uses it."""

    def __init__(self, served, token):
        self.served = served
        self.token = token

    def __call__(self, method, path, **more):
        return self.served(method, path, token=self.token, **more)

    def submit(self, agent, **arguments):
        answer = self("POST", "/tasks", json={"agent": agent, "arguments": arguments})
        assert answer.status_code == 201, answer.text
        return answer.json()["taskId"]

    def until(self, task_id, *statuses):
        """Poll, long, until the task stands as wanted."""
        for _ in range(4):
            task = self("GET", f"/tasks/{task_id}?wait=15").json()
            if task["status"] in statuses:
                return task
        raise AssertionError(task)
