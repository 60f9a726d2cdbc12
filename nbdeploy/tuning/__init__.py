"""Trying out how to train: a space, a study of trials in one SQLite file, what runs them, and what comes of it."""
