"""Where a model should run: from what was measured and what its user answers."""
