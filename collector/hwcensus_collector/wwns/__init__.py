"""World Wide Names of virtual ports: pools, who has which, and which may be given next.

A name that is in no row is free, unless the census shows it.
"""
