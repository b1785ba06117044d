"""Tables, plots and one HTML page from finished runs.

Everything here is computed from the files of run folders; nothing here trains, and training never imports it.

- `scores`: a run -> its scores (UAR with chance and interval, WA, recall, confusion, folds, speakers)
- `comparison`: two runs on the same utterances -> McNemar's test, Holm's correction, differences with intervals
- `tables`: scores -> a `Table`, printed as Markdown, LaTeX or CSV
- `plots`: scores -> SVG, complete in itself; the page only re-colours it in the dark
- `html`: all of it -> ``report.html`` and the files beside it
"""
