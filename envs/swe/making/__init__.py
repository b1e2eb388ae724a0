"""Making tasks of any Python project: read it, run its tests, break it, prove each bug, write it up, hide the tests."""
