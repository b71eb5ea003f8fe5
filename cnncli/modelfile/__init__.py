"""``model.h5``: written, checked as a stranger's file would be, and read.

Networks are built from what is read here, elsewhere.
"""
