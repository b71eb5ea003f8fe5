"""Trained networks as files for other programs, each checked against Keras.

A module a format, behind the interface in ``cnncli.export.formats``. What needs Keras
to write or to read a file asks ``cnncli.backend`` for it.
"""
