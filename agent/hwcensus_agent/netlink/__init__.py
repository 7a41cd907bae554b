"""Netlink: frames and attributes, the links that rtnetlink tells of, hearing of their changes, and uevents.

Ours rather than pyroute2's: that costs 9 MB of the agent's 60 MB (measured). It asks the kernel nothing: see rtnetlink.
"""
