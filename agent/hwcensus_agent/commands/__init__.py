"""Orders from the collector: which are admitted, what the host's policy allows, and carrying them out once.

The life of a command here: `reader` → `guard` → `inbox` → `runner` → an executor → the census sees it → an answer.
"""
