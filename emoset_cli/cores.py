"""How many cores there are, and how processes share them."""

import os

from emoset_cli import ranks


def cores() -> int:
    """Cores this process may use (its affinity where the system tells, else all).

    Where a command was started several times on this machine to share its work, they share the cores too.
    """
    try:
        found = len(os.sched_getaffinity(0))
    except AttributeError:  # macOS, Windows
        found = os.cpu_count() or 1
    return max(1, found // ranks.local()[1])


def threads(workers: int) -> int:
    """Threads for each of some processes that share the cores; never more than ``OMP_NUM_THREADS`` allows."""
    share = max(1, cores() // workers)
    allowed = os.environ.get("OMP_NUM_THREADS", "")
    return min(share, max(1, int(allowed))) if allowed.isdigit() else share
