"""Commands as the running agent sees them: reads its partition, and answers `resync` and `ping` itself.

What makes or deletes devices is in `commands/`.
"""
