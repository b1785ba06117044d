"""Embeddings as pictures and numbers: projections to two dimensions, and how far groups lie apart in all of them."""

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from emoset_cli.errors import EmosetError, unknown

METHODS = ("umap", "tsne", "pca")
METRIC = "euclidean"  # of projections and silhouettes alike
RULES = {"alisamir2022": "only correctly classified test utterances whose label at least two corpora have"}
FEWEST = 5  # utterances of a picture
_NEIGHBOURS, _PERPLEXITY = 15, 30  # the defaults of umap-learn and scikit-learn; fewer where there are few utterances
_FEW = 20  # utterances below which UMAP starts at random: the spectrum of so small a graph says nothing


def project(values: np.ndarray, method: str, seed: int = 0) -> tuple[np.ndarray, dict[str, float]]:
    """Two coordinates of each utterance, float64 ``(utterances, 2)``, and numbers about the projection.

    The same values and seed give the same picture on one machine. Of UMAP and t-SNE neither distances nor sizes of
    clusters mean anything; those of PCA are true, but of two dimensions only: ``explained`` is their share of the
    variance.

    Args:
        values: ``(utterances, width)``
        method: umap, tsne or pca
        seed: of random choices

    Raises:
        EmosetError: for another method, fewer than five utterances, or embeddings that are all the same

    Source:
        McInnes, Healy and Melville 2018 (UMAP); van der Maaten and Hinton 2008 (t-SNE).
    """
    if method not in METHODS:
        raise unknown("projection", method, METHODS)
    if len(values) < FEWEST:
        raise EmosetError(
            f"{len(values)} utterances make no picture, at least {FEWEST} are needed", "take more: --on all"
        )
    if np.ptp(values, axis=0).max() == 0:
        raise EmosetError("the embeddings of all utterances are the same", "train the network longer")
    with warnings.catch_warnings(action="ignore"):  # of few or equal points, about which nobody can do anything
        if method == "umap":
            return _umap(values, seed), {}
        if method == "tsne":
            return _tsne(values, seed), {}
        return _pca(values)


def _umap(values: np.ndarray, seed: int) -> np.ndarray:
    from umap import UMAP

    few = len(values) < _FEW
    neighbours = min(_NEIGHBOURS, len(values) - 1)
    start = "random" if few else "spectral"
    reducer = UMAP(n_neighbors=neighbours, metric=METRIC, init=start, random_state=seed, n_jobs=1)
    return np.asarray(reducer.fit_transform(values), np.float64)


def _tsne(values: np.ndarray, seed: int) -> np.ndarray:
    from sklearn.manifold import TSNE

    perplexity = min(_PERPLEXITY, (len(values) - 1) / 3)
    reducer = TSNE(perplexity=perplexity, metric=METRIC, random_state=seed)
    return np.asarray(reducer.fit_transform(values), np.float64)


def _pca(values: np.ndarray) -> tuple[np.ndarray, dict[str, float]]:
    from sklearn.decomposition import PCA

    reducer = PCA(n_components=2, svd_solver="full")
    points = np.asarray(reducer.fit_transform(values.astype(np.float64)), np.float64)
    return points, {"explained": float(reducer.explained_variance_ratio_.sum())}


def silhouettes(values: np.ndarray, groups: Mapping[str, Sequence[str]]) -> list[dict[str, Any]]:
    """How far apart groups lie in the full embedding: the mean silhouette coefficient, in [-1, 1].

    1: each utterance is much nearer to its own group than to the next one; 0: the groups lie in one another; below 0:
    utterances are nearer to another group. Utterances whose group is not known ("") do not count.

    Args:
        values: ``(utterances, width)``
        groups: kind of group -> group of each utterance

    Returns:
        for each kind ``by``, ``groups``, ``n``, ``silhouette`` (None where there is none) and ``note``, which says why

    Source:
        Rousseeuw 1987.

    Example:
        >>> points = np.array([[0.0], [1.0], [10.0], [11.0]])
        >>> found = silhouettes(points, {"label": ["a", "a", "b", "b"], "corpus": ["x"] * 4})
        >>> [(one["by"], one["silhouette"] and round(one["silhouette"], 3), one["note"]) for one in found]
        [('label', 0.9, ''), ('corpus', None, 'one corpus only: x')]
    """
    return [_silhouette(values, by, np.array(names, object)) for by, names in groups.items()]


def _silhouette(values: np.ndarray, by: str, names: np.ndarray) -> dict[str, Any]:
    from sklearn.metrics import silhouette_score

    known = names != ""
    found = sorted(set(names[known].tolist()))
    facts: dict[str, Any] = {"by": by, "groups": len(found), "n": int(known.sum()), "silhouette": None, "note": ""}
    if not found:
        return facts | {"note": f"no {by} is known"}
    if len(found) == 1:
        return facts | {"note": f"one {by} only: {found[0]}"}
    if len(found) == facts["n"]:
        return facts | {"note": f"each utterance is of another {by}"}
    codes = np.searchsorted(np.array(found), names[known].astype(str))
    return facts | {"silhouette": float(silhouette_score(values[known], codes, metric=METRIC))}


def shown(table: Any, labels: Mapping[str, Sequence[str]], rule: str) -> np.ndarray:
    """Which utterances a rule shows, bool ``(utterances,)``; all without a rule.

    Args:
        table: with the columns ``partition``, ``truth`` and ``prediction``
        labels: of each corpus; the same word is the same label
        rule: one of `RULES`, or ""

    Raises:
        EmosetError: if there is no such rule, or it leaves nothing

    Source:
        Alisamir et al. 2022, Figure 2.
    """
    if not rule:
        return np.ones(len(table), bool)
    if rule not in RULES:
        raise unknown("rule", rule, RULES)
    words = [label for own in labels.values() for label in set(own)]
    shared = {label for label in words if words.count(label) > 1}
    right = (table["truth"] == table["prediction"]) & (table["partition"] == "test")
    kept: np.ndarray = (right & table["truth"].isin(shared)).to_numpy()
    if not kept.any():
        why = "no two corpora share a label" if not shared else "no test utterance with a shared label is right"
        raise EmosetError(f"rule {rule} shows nothing: {why}", "leave --rule out, or name another run")
    return kept
