"""The revisions, oldest first: one module each, never changed once it was released."""
