"""Published methods, one file each, run at a size that a laptop finishes and held to what they claim.

`python -m gallery list` says what there is, `run KEY` runs it, `site DIR` writes it down with figures. An entry is a
file `gallery/<area>/<key>.py`; `gallery/entry.py` says what it has to contain.
"""
