"""Pictures on disk and what is known about them: image sets, splits, archives and the named data sets."""
