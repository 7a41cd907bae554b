"""From Kafka to the inventory: records are read, folded and stored, a batch in one SQL transaction.

The rules are in `fold.py`, a reader's first stop; what they look at is in `state.py`, what comes of it in `step.py`.
"""
