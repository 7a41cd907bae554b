"""The HTTP API: the one door for people and programs.

It reads through `inventory/`, orders through `relay/`, and decides nothing about either. The paths, the shape of lists
and the shape of errors are in docs/http.md.
"""
