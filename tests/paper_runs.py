"""Run folders of the studies across languages and corpora, small enough to work by hand."""

import pandas as pd
from attribute_runs import finish, utterances

from emoset_cli import runs

FOUR = ["anger", "happiness", "neutral", "sadness"]
LANGUAGES = {"deu": "emodb", "eng": "ravdess", "cmn": "esd"}
THREE = list(LANGUAGES)


def across(folder, name, hits, languages=THREE, seed=0, folds=2, model="forest", start=0, labels=FOUR, **config):
    """A run that leaves languages out, two folds each: ``hits(left_out, tested, fold)`` says what is right."""
    test, within, made = [], [], []
    for left_out in languages:
        for fold in range(1, folds + 1):
            made.append(f"{left_out}/{fold}")
            for tested, corpus in LANGUAGES.items():
                rows = utterances(corpus, hits(left_out, tested, fold), labels, fold=made[-1], language=tested,
                                  start=start + 8 * fold)  # fmt: skip
                (test if tested == left_out else within).extend(rows)
    options = {"normalise": "train"} if model == "forest" else {"network": {}}
    config = {
        "model": model, "feature": "egemaps-v02" if model == "forest" else "logmel", "options": options,
        "label_space": "iemocap4", "heads": {"iemocap4": labels},
        "partition": {"name": name, "seed": seed, "hash": "8f31ab02", "folds": made},
    } | config  # fmt: skip
    setting = "" if model == "forest" else f"{model} iemocap4"
    rows = [row | {"partition": "within"} for row in within]
    keys = dict.fromkeys(LANGUAGES.values(), labels)
    run = finish(folder, setting, test, seed, keys, further={"within": rows}, corpora=list(keys), **config)
    if model == "forest":
        del run.config["mode"]  # a baseline has none
        runs.finish(folder, run.config, pd.DataFrame(test), {"within": pd.DataFrame(rows)})
    return run


def deepwccn_runs(place, partition="lolo:deep-wccn"):
    """A forest with and without WCCN, and wav2vec 2.0 with, without and with 30 utterances, of two seeds."""
    half, most = [1, 1, 1, 1, 0, 0, 0, 0], [1, 1, 1, 1, 1, 1, 1, 0]

    def forest(left_out, tested, fold):
        return half if left_out == tested else most

    made = [across(place / "forest", partition, forest)]
    made.append(across(place / "forest-wccn", partition, forest, options={"normalise": "train", "wccn": 0.5}))
    for seed in (0, 1):

        def deep(left_out, tested, fold, seed=seed):
            return [1] * 8 if left_out == tested and (fold, seed) != (2, 1) else most

        common = {"seed": seed, "model": "wccn"}
        made.append(across(place / f"plain_s{seed}", partition, forest, options={"network": {"wccn": False}}, **common))
        for language in THREE:  # each pair of training languages has settings of its own
            options = {"network": {"alpha": 0.1 * len(language) + THREE.index(language)}}
            made.append(across(place / f"deep_{language}_s{seed}", f"{partition}@{language}", deep, [language],
                               options=options, **common))  # fmt: skip
    made.append(across(place / "deep_deu+30", f"{partition}@deu+30", lambda *_: [1] * 8, ["deu"], model="wccn"))
    return made


EMBEDDED = {
    "cafe": ["anger", "disgust", "fear", "happiness", "neutral", "sadness", "surprise"],
    "emodb": ["anger", "boredom", "disgust", "fear", "happiness", "neutral", "sadness"],
    "gemep": [f"emotion{number:02d}" for number in range(12)],
    "ravdess": ["anger", "calm", "disgust", "fear", "happiness", "neutral", "sadness", "surprise"],
    "urdu": FOUR,
}
PAPERS = {"cafe", "emodb", "gemep", "ravdess"}


def embedded(folder, hits, seed=0, folds=("1",), partition="", own=None, **config):
    """A network of emotion embeddings: ``hits`` has for each corpus what is right, ``own`` other labels than its."""
    labels = {corpus: (own or EMBEDDED)[corpus] for corpus in hits}
    each = {corpus: partition or ("alisamir2022" if corpus in PAPERS else "speakers") for corpus in hits}
    rows = [row for corpus, right in hits.items() for number, fold in enumerate(folds)
            for row in utterances(corpus, right, labels[corpus], fold=fold, start=100 * number)]  # fmt: skip
    several = len(hits) > 1
    name = "pool-" + "+".join(dict.fromkeys(each.values())) if several else next(iter(each.values()))
    notes = [f"{corpus}: partition {one}, seed 0" for corpus, one in each.items()] if several else []
    config = {
        "model": "embedding", "feature": "wav2vec2-xlsr-frames",
        "partition": {"name": name, "seed": seed, "hash": "8f31ab02", "folds": list(folds), "notes": notes},
    } | config  # fmt: skip
    return finish(folder, f"embedding {'all' if several else 'scratch'}", rows, seed, labels, heads=labels,
                  label_space=config.pop("label_space", "own"), **config)  # fmt: skip


def alisamir_runs(place):
    """Frozen of one corpus and of three, fine-tuned, by leave one speaker out, and filterbanks."""
    most, half = [1] * 13 + [0], [1, 0] * 7
    tuned = {"feature": "logmel", "encoder": "7b596b14cfe6763e"}
    made = [embedded(place / f"emodb_s{seed}", {"emodb": half if seed else most}, seed) for seed in (0, 1)]
    made += [embedded(place / "ravdess", {"ravdess": half}), embedded(place / "urdu", {"urdu": half})]
    made.append(embedded(place / "all", {"emodb": [1] * 14, "ravdess": [1] * 14, "urdu": half}))
    made.append(embedded(place / "tuned", {"emodb": [1] * 14}, **tuned))
    made.append(embedded(place / "loso", {"emodb": half}, folds=("03", "08"), partition="loso", **tuned))
    return [*made, embedded(place / "banks", {"emodb": half}, feature="logmel")]
