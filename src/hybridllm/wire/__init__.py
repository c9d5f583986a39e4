"""Floor 1: the dialects. Bytes to one Conversation and back; pure.

One file a dialect. Every translation goes through `conversation`, so N dialects cost N files.
"""
