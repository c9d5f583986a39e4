"""Floor 3: is this answer good enough, as far as it can be told without knowing the right one?

Checks of a cascade's cheap answer, and what they and the graders of `evals` have in common: reading
JSON and code among prose, the sandbox, and what a judge is asked.
"""
