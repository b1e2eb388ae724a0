"""Making tasks of any Python project: read it, run its tests, break it, prove each bug, write it up, hide the tests."""

from turnwise.envs.swe.making.task_files import broken_files, gold_files, gold_patch, visible_files

__all__ = ["broken_files", "gold_files", "gold_patch", "visible_files"]
