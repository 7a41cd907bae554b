"""The read side: what is in which host, now and at any past instant, and what changed.

Functions over SQLAlchemy Core that take a connection and give values; the API and the console ask nothing else. They
write nothing, and know neither HTTP nor Kafka.
"""
