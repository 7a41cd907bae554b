"""The agent of one host: watches its devices, describes them, and publishes every difference to Kafka.

It answers no queries about other hosts and never talks to the collector but through Kafka.
"""
