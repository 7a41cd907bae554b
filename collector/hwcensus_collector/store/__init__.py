"""The inventory's write path: what the fold made of a batch becomes rows, in one transaction.

`write.py` has the order of things and is the same for both databases; `postgresql.py` and `sqlite.py` differ in how
many rows are written at once. Reading for people and programs is in `inventory/`.
"""
