"""Collecting pictures into class folders: screened as they come, with where each came from noted beside them."""
