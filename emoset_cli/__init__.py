"""emoset: the multi-corpus speech emotion recognition workbench."""

__version__ = "0.1.0"
