"""Self-made prompts, by the thousand, for training the task classifier: templates times fillers.

Nothing here is a real request: every prompt is put together from the word lists of this folder
(and, where given, from sentences of a collection's training part, so that what a text is about
stops being a sign of what is asked). They are marked as self-made and never used for measuring.
"""
