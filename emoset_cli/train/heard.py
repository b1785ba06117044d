"""What a run has heard: how long, of which sample rates and languages, for those who let it hear something else."""

from typing import Any

import numpy as np


def heard_facts(utterances: Any, where: Any) -> dict[str, Any]:
    """Facts about the training utterances of all folds, as ``config.yaml`` keeps them.

    Args:
        utterances: the table of a task
        where: its partition's table, a column for each fold

    Returns:
        ``seconds`` (least, median and most), ``sample_rates`` of the recordings in Hz, ``languages``
    """
    own = utterances[(where == "train").any(axis=1).to_numpy()]
    seconds = own["duration_s"].to_numpy(float)
    return {
        "seconds": {
            "least": round(float(seconds.min()), 3),
            "median": round(float(np.median(seconds)), 3),
            "most": round(float(seconds.max()), 3),
        },
        "sample_rates": sorted({int(rate) for rate in own["native_sample_rate"]}),
        "languages": sorted({str(language) for language in own["language"]} - {""}),
    }
