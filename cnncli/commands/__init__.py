"""The commands, one file each: parse, delegate, print.

Beside them stands what several of them share: options, progress, a started backend, and
the network that a config or a model means. Nothing heavy is imported before a command
needs it.
"""
