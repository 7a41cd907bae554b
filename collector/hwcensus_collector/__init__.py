"""The centre: folds every host's events into the inventory in SQL, answers queries and relays commands.

It never looks at hardware and never logs in to a host.
"""
