def report(*a, **k):
    from pathlib import Path
    return Path("x"), []
