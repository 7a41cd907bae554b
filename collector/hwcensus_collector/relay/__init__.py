"""Commands to hosts: queued in SQL, sent in order and signed, their results noted; and asking agents to heal a record.

The state `queued` is the outbox: whoever queues needs no Kafka, and whoever sends needs no caller.
"""
