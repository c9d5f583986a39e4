"""Floor 2: which task is this? Label, rule, classifier. No I/O."""
