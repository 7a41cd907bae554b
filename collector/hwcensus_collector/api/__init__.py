"""The HTTP API: the one door for people and programs.

It reads through `inventory/`, orders through `relay/`, and decides nothing about either. `app.py` lists its parts; what
lists look like is in `answer.py`, what errors look like in `problem.py`.
"""
