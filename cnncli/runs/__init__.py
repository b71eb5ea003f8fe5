"""A run from config to folder: trained, measured, written down, gone on with.

This is where the other rooms meet; what one of them can do by itself stays there.
"""
