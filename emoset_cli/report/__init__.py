"""Tables, plots and HTML pages from finished runs and prepared corpora.

Everything here is computed from the files of run folders and from utterance tables; nothing here trains, and training
never imports it.

- `scores`: a run -> its scores (UAR with chance and interval, WA, recall, confusion, folds, speakers)
- `comparison`: two runs on the same utterances -> McNemar's test, Holm's correction, differences with intervals
- `segments`, `attributes`: a run's segments beside its utterances; what its heads for attributes know
- `papers`: runs -> the tables of a paper, beside what it published
- `tables`: scores -> a `Table`, printed as Markdown, LaTeX or CSV
- `plots`: scores -> SVG, complete in itself; the page only re-colours it in the dark (`svg` has the pieces)
- `html`: all of it -> ``report.html`` and the files beside it
- `corpora_tables`, `plots_corpora`, `plots_labels`, `corpora_page`: the same for what `emoset_cli.explore` finds
- `page`: fills in the templates; ``base.html.j2`` is the look that both pages share
"""
