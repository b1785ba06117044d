"""Plans: many runs, what they need of each other, and the tables wanted of them, from a YAML file."""
