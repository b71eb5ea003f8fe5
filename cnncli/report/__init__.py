"""Reports: one HTML page that needs nothing else, without any script.

What stands in it is worked out in Python; templates only place it.
"""
