"""The machine and the process: files, streams, signals, memory, processor.

Nothing here knows of images or networks.
"""
