"""Software engineering: find and mend a bug in a Python project, in a sandbox. `turnwise/SWE-v0`."""

from turnwise.envs.swe.env import SWEEnv
from turnwise.envs.swe.tasks import Project, Task, TaskSet

__all__ = ["Project", "SWEEnv", "Task", "TaskSet"]
