"""`turnwise/SWE-v0`: find and mend a bug in a Python project, in a sandbox."""
