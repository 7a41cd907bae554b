"""A host's hald (HAL 0.5.8 to 0.5.15) over D-Bus: the client, and what it said last of every device.

Hints for the census are made in `sources/hal.py`. Imported only where HAL leads.
"""
