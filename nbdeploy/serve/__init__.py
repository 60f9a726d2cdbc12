"""Serving a bundle over HTTP. Imports no torch, no fastai and no target: a bundle's own files are all it knows."""
