"""Training of networks: what they hear in which order, what they lose, and how a training goes on after a kill."""
