"""The one way the inventory's SQL schema changes: Alembic's environment and its revisions.

It imports nothing of ours, so that a revision means the same for ever, whatever the code becomes.
"""
