"""The loop of a user's own tasks, without what a user that only sends requests doesn't need.

Locust's loop sleeps 0 s after a task without a wait, so that other users come to their turn. A
request that was answered has already let them, so its user goes on at once. A task without an
answer (a refused connection) sleeps as in plain Locust, or its user would keep all others from
running.
"""

from typing import Any

from locust.exception import StopUser
from locust.user.task import (
    LOCUST_STATE_RUNNING,
    LOCUST_STATE_STOPPING,
    LOCUST_STATE_WAITING,
    DefaultTaskSet,
)


class LeanTaskSet(DefaultTaskSet):
    """Locust's task set of a user's own tasks; the user's `client` counts its answers."""

    _answers = 0

    def get_next_task(self) -> Any:
        """Return the only task without drawing lots."""
        tasks = self._user.tasks
        return tasks[0] if len(tasks) == 1 else super().get_next_task()  # type: ignore[no-untyped-call]

    def execute_next_task(self) -> None:
        """Run the next task and, after each wait, the one that follows; ends by an exception."""
        queue = self._task_queue
        while True:
            self.execute_task(queue.popleft() if queue else self.get_next_task())  # type: ignore[no-untyped-call]
            self.wait()

    def wait(self) -> None:
        """Wait as the user's `wait_time` says; go on at once if that is 0 s and it was answered."""
        user: Any = self._user
        if user._state == LOCUST_STATE_STOPPING:
            raise StopUser
        user._state = LOCUST_STATE_WAITING
        seconds = user.wait_time() if user.wait_time else self.wait_time()  # type: ignore[no-untyped-call]
        answers, self._answers = self._answers, getattr(user.client, "answers", 0)
        if seconds or answers == self._answers:
            self._sleep(seconds)  # type: ignore[no-untyped-call]
        if user._state == LOCUST_STATE_STOPPING:
            raise StopUser
        user._state = LOCUST_STATE_RUNNING
