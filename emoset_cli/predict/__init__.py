"""Predictions of anybody's recordings with a finished run: found, read in windows, heard in batches, written down."""
