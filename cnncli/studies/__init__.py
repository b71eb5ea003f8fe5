"""Studies: several runs of a config, each with a folder and a process of its own."""
