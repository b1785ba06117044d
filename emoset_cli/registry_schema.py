"""The form of an entry of the registry: which keys it may have, and what shape each takes.

Any key may be absent: `registry_checks` says which a merged entry needs, and what must fit what.
"""

from emoset_cli import yaml_schema as ys

_SPEAKERS = ys.list_of(ys.text)
_FOLD = {"train": _SPEAKERS, "devel": _SPEAKERS, "test": _SPEAKERS}
_PARTITION = ys.record(
    **_FOLD,
    folds=ys.map_of(ys.record(**_FOLD)),
    labels=ys.list_of(ys.text),
    by=ys.or_else(ys.text, mapping=ys.map_of(ys.text)),
    values=ys.map_of(ys.text),
    speakers_cross=ys.flag,
    source=ys.text,
)
_TABLE = ys.record(
    file=ys.text,
    format=ys.text,
    encoding=ys.text,
    separator=ys.character,
    decimal=ys.character,
    sheet=ys.text,
    records=ys.text,
    line=ys.text,
    key=ys.text,
    match=ys.text,
    columns=ys.map_of(ys.text),
    texts=ys.list_of(ys.text),
    optional=ys.flag,
)
_SCALES = ys.map_of(ys.record(low=ys.number, high=ys.number))
_RULE = ys.record(min=ys.number, max=ys.number, any_of=ys.list_of(ys.text), none_of=ys.list_of(ys.text))
_ENTRY = ys.record(
    name=ys.text,
    language=ys.or_else(ys.text, mapping=ys.map_of(_SPEAKERS), list=ys.list_of(ys.text)),
    language_codes=ys.or_null(ys.map_of(ys.text)),
    year=ys.or_null(ys.integer),
    nature=ys.or_null(ys.text),
    licence=ys.or_null(ys.text),
    access=ys.or_null(ys.text),
    obtain=ys.or_null(ys.text),
    needs=ys.or_null(ys.text),
    reference=ys.or_null(ys.text),
    citation=ys.or_null(ys.map_of(ys.text_or_number)),
    path=ys.or_null(ys.text),
    id=ys.or_null(ys.text),
    speaker=ys.or_null(ys.text),
    label=ys.or_null(ys.text),
    labels=ys.or_null(ys.map_of(ys.text)),
    levels=ys.or_null(ys.list_of(ys.text)),
    speakers=ys.or_null(ys.record(female=_SPEAKERS, male=_SPEAKERS, unknown=_SPEAKERS)),
    speaker_alias=ys.or_null(ys.map_of(ys.text)),
    shares_speakers=ys.or_null(ys.list_of(ys.text)),
    gender=ys.or_null(ys.map_of(ys.text)),
    ages=ys.or_null(ys.map_of(ys.number)),
    where=ys.or_null(ys.map_of(ys.list_of(ys.text))),
    exclude=ys.or_null(ys.map_of(ys.text)),
    tables=ys.or_null(ys.map_of(_TABLE)),
    dimensions=ys.or_null(ys.or_else(ys.list_of(ys.text), mapping=_SCALES)),
    subsets=ys.or_null(ys.map_of(ys.map_of(_RULE))),
    take=ys.or_null(ys.list_of(ys.text)),
    count=ys.or_null(ys.record(utterances=ys.integer, speakers=ys.integer, labels=ys.map_of(ys.integer))),
    partitions=ys.or_null(ys.map_of(_PARTITION)),
    default_partition=ys.or_null(ys.text),
    notes=ys.or_null(ys.list_of(ys.text)),
    sources=ys.or_null(ys.list_of(ys.text)),
)
REGISTRY = ys.map_of(_ENTRY)
