"""Tools with invalid tasks."""

from __future__ import annotations

from support.manifests import tool, tools
from support.negatives.case import Negative

TASKS = [
    Negative("a task without mode", tool(task={"maxAge": "1h"}), "spec.task.mode", "Required"),
    Negative(
        "an unknown mode of tasks", tool(task={"mode": "On"}), "spec.task.mode", "Unsupported"
    ),
    Negative(
        "polling settings without tasks",
        tool(task={"mode": "Never", "pollInterval": "5s"}),
        "spec.task.mode",
        "remove pollInterval and maxAge",
    ),
    Negative(
        "polling too often",
        tool(task={"mode": "Auto", "pollInterval": "999ms"}),
        "spec.task.pollInterval",
        "set pollInterval to 1s or more",
    ),
    Negative(
        "tasks with a maximum age below a second",
        tool(task={"mode": "Auto", "maxAge": "500ms"}),
        "spec.task.maxAge",
        "set maxAge to between 1s and 168h",
    ),
    Negative(
        "tasks of more than a week",
        tools({"name": "a", "path": "/a", "task": {"mode": "Always", "maxAge": "169h"}}),
        "spec.tools[0].task.maxAge",
        "set maxAge to between 1s and 168h",
    ),
]
