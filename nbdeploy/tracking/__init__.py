"""Runs: what was trained, tuned, compressed and deployed here, remembered in one local SQLite file."""
