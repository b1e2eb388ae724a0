"""Intervals, text in columns, caches, working days and a small formula language."""
