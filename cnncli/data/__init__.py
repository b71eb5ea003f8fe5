"""Images: read, split, normalised, looked at for what is suspicious.

They stay whole numbers from 0 to 255 here; what a network makes of them is elsewhere.
"""
