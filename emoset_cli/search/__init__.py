"""Search for the options of a training that do best on devel: a plan says what is fixed and what is tried."""
