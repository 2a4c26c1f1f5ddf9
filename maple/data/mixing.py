"""Mixtures: how many examples of each language are trained on, and which are held out."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import blake2b

import polars as pl

from maple.data.examples import BACK_TRANSLATION, PARALLEL_COLUMNS, PICTURE_FIELD, check_ids, is_labelled
from maple.definitions.dataset import MixSettings
from maple.text.segmentation import tokens

TEXTS = ("instruction", "input", "output")


class MixError(ValueError):
    """Examples that cannot be mixed; the message names dataset or task, and says what to change."""


@dataclass(frozen=True)
class LearntTask:
    """The task whose rows are mixed."""

    name: str
    labels: list[str]
    """All its labels; empty for a task without choices."""


@dataclass(frozen=True)
class LanguageCount:
    """Rows of one language in a mixture, and the size of those that are trained on."""

    available: int
    """Rows that curation kept."""
    learnt: int
    """Rows that are trained on."""
    held_out: int
    words: int
    """Of instructions, inputs and outputs of the rows that are trained on (maple.text.segmentation.tokens)."""
    characters: int
    bytes: int
    """UTF-8."""
    labels: dict[str, int] = field(default_factory=dict)
    """The rows that are trained on, by label; empty without labels."""


@dataclass(frozen=True)
class MixCard:
    """What a mixture is made of."""

    dataset: str
    rows: int
    languages: dict[str, LanguageCount]
    stage: str = "mix"
    schema_version: int = 1


def rows_per_language(available: Mapping[str, int], rows: int, alpha: float) -> dict[str, int]:
    """Return how many rows are taken of each language: proportional to its size to the power of `alpha`.

    1.0 keeps the proportions of the data, 0.0 takes as many of every language (the exponent of multilingual sampling:
    Conneau and Lample 2019, arXiv 1901.07291). No language gives more than it has; the others give what it lacks, so
    that the sum is `rows` unless there are fewer in all.

    >>> rows_per_language({"big": 900, "small": 100}, 100, alpha=0.5)
    {'big': 75, 'small': 25}
    """
    given = dict.fromkeys(sorted(available), 0)
    while (left := rows - sum(given.values())) > 0:
        weights = {name: available[name] ** alpha for name in given if given[name] < available[name]}
        if not weights:
            break
        total = sum(weights.values())
        before = sum(given.values())
        for name, weight in weights.items():
            given[name] = min(available[name], given[name] + int(left * weight / total))
        if sum(given.values()) == before:  # fewer rows left than languages: one each, by weight
            for name in sorted(weights, key=lambda name: (-weights[name], name))[:left]:
                given[name] += 1
    return given


def _origins(examples: pl.DataFrame) -> pl.Series:
    """Return the id that an example shares with its translations: the parent if it was translated here."""
    return examples.select(pl.when(pl.col("recipe") == "translate_respond").then("parent").otherwise("id")).to_series()


def _places(examples: pl.DataFrame, seed: int) -> pl.Series:
    """Return each example's place in its language, from 1, in an order that translations share and `seed` decides."""
    digests = [blake2b(f"{seed} {name}".encode()).hexdigest() for name in _origins(examples)]
    keyed = examples.with_columns(key=pl.Series(digests, dtype=pl.String))
    return keyed.select(pl.struct("key", "id").rank("ordinal").over("language")).to_series()


def hold_out(examples: pl.DataFrame, rows: int, seed: int) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Split examples into a training part and a held-out part, `rows` per language or a tenth of it if that is less.

    If an example is held out in one language, its translations are in no training part: a model could otherwise have
    seen the held-out text in another language. Translations share the parent if the dataset was translated here, and
    the id if it was loaded.
    """
    count = pl.min_horizontal(pl.lit(rows), pl.len().over("language") // 10)
    is_held_out = examples.with_columns(place=_places(examples, seed)).select(pl.col("place") <= count).to_series()
    origins = _origins(examples)
    return examples.filter(~origins.is_in(origins.filter(is_held_out).implode())), examples.filter(is_held_out)


def _hold_out_labelled(examples: pl.DataFrame, rows: int, seed: int) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Split labelled examples: held out are `rows` dev rows per language; of a language without any, as in hold_out.

    No row of which a model wrote the source is held out; the target of one that is held out is not learnt by another.
    A translation that shares a side with a held-out train row is not learnt, nor a row that shares a picture with one.
    """
    train, dev = examples.filter(split="train"), examples.filter(split="dev")
    of_dev = dev.filter(_places(dev, seed) <= rows)
    translated = pl.col("recipe") == BACK_TRANSLATION
    _, of_train = hold_out(train.filter(~pl.col("language").is_in(dev["language"].implode()), ~translated), rows, seed)
    origin = pl.when(translated).then("parent").otherwise("id")
    learnt = ~origin.is_in(of_train["id"].implode())
    if PARALLEL_COLUMNS.keys() <= set(examples.columns):
        for side in (pl.col("texts").list.first(), pl.col("output")):
            learnt &= ~side.is_in(of_train.select(side).to_series().implode())
    if PICTURE_FIELD in examples.columns:
        digests = pl.col(PICTURE_FIELD).list.eval(pl.element().struct.field("digest"))
        shown = of_train.select(digests.list.explode()).to_series().unique().to_list()
        learnt &= ~digests.list.eval(pl.element().is_in(shown)).list.any()
    return train.filter(learnt), pl.concat([of_dev, of_train])


def first_rows(pool: pl.DataFrame, rows: int, settings: MixSettings) -> pl.DataFrame:
    """Return `rows` rows, which contain those of every smaller number: nested sets, as for a learning curve.

    Each language gives its rows in a random order by the seed and their ids, the same in all languages of a parallel
    set; labels are as frequent as they come (our choice, no strata). Languages take turns so that their numbers stay
    proportional to (its rows) ^ alpha, as in `rows_per_language`: the row in place p of a language of n rows comes at
    (p - 1/2) / n^alpha. (The divisors of Webster. With quotas that are rounded, more rows in all can be fewer rows of a
    language: Balinski and Young 1975, doi 10.2307/2318729.)
    """
    weight = pl.len().over("language").cast(pl.Float64) ** settings.alpha
    turn = (pl.col("place") - 0.5) / weight
    ordered = pool.with_columns(place=_places(pool, settings.seed)).with_columns(turn=turn)
    return ordered.sort("turn", "language").head(rows).drop("place", "turn")


def check_labels(examples: pl.DataFrame, task: LearntTask) -> None:
    """Refuse labels of a task that no training row has in any language. Raises MixError."""
    if missing := [label for label in task.labels if label not in set(examples["label"])]:
        raise MixError(
            f"config/tasks/{task.name}.yaml: choices: no train row has the label {', '.join(missing)}; no model could "
            "learn it: take it out, or mend `targets`, or the rows"
        )


def mix(
    examples: list[pl.DataFrame], settings: MixSettings, task: LearntTask | None = None, name: str = "the mixture"
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Mix curated examples into one shuffled set without repeats; return it and the held-out examples.

    Both depend on the examples and the seed, but not on the order of the frames. Labelled and parallel examples are
    held out from the dev rows of their tasks where there are any, and a smaller mixture of them is part of a larger
    one. `name` is that of the mixture, for messages. Raises ValueError for an id that two examples of a language have,
    and MixError for a label of `task` that no row has, for fewer labelled rows than `settings` asks, and for none.
    """
    pool = pl.concat(examples).sort("language", "id", maintain_order=True)
    for (language,), group in pool.group_by("language", maintain_order=True):
        check_ids(group["id"], str(language))
    labelled = is_labelled(pool)
    pool, held_out = (_hold_out_labelled if labelled else hold_out)(pool, settings.held_out, settings.seed)
    if task:
        check_labels(pool, task)
    rows = pool.height if settings.rows is None else settings.rows
    if labelled and (rows > pool.height or not rows):
        counts = pool.group_by("language").len().sort("language").iter_rows()
        left = ", ".join(f"{code} {count}" for code, count in counts) or "of no language"
        raise MixError(
            f"{name}: rows: {rows}: curation and held-out rows leave {pool.height} rows to learn ({left}); write fewer "
            "under `axes` or `mix` of the dataset's file, or null for all"
        )
    mixture = first_rows(pool, rows, settings) if labelled else _sampled(pool, rows, settings)
    return mixture.sample(fraction=1.0, seed=settings.seed, shuffle=True), held_out


def _sampled(pool: pl.DataFrame, rows: int, settings: MixSettings) -> pl.DataFrame:
    available = dict(pool.group_by("language").len().iter_rows())
    counts = rows_per_language(available, rows, settings.alpha)
    samples = [
        group.sample(counts[str(language)], seed=settings.seed, shuffle=True)
        for (language,), group in pool.group_by("language", maintain_order=True)
    ]
    return pl.concat([pool.clear(), *samples])


def mix_card(dataset: str, examples: list[pl.DataFrame], mixture: pl.DataFrame, held_out: pl.DataFrame) -> MixCard:
    """Count the rows of a mixture by language; `examples` and `held_out` are what `mix` took and held out."""
    words = [sum(len(tokens(text)) for text in row) for row in mixture.select(TEXTS).iter_rows()]
    learnt = (
        mixture.with_columns(words=pl.Series(words, dtype=pl.Int64))
        .group_by("language")
        .agg(
            pl.len().alias("learnt"),
            pl.sum("words"),
            pl.sum_horizontal(pl.col(TEXTS).str.len_chars()).sum().alias("characters"),
            pl.sum_horizontal(pl.col(TEXTS).str.len_bytes()).sum().alias("bytes"),
        )
    )
    languages = (
        pl.concat(examples)
        .group_by("language")
        .agg(available=pl.len())
        .join(learnt, on="language", how="left")
        .join(held_out.group_by("language").agg(held_out=pl.len()), on="language", how="left")
        .fill_null(0)
        .sort("language")
    )
    labels = _labels_by_language(mixture) if is_labelled(mixture) else {}
    counts = {
        language: LanguageCount(**row, labels=labels.get(language, {}))
        for row in languages.to_dicts()
        for language in [row.pop("language")]
    }
    return MixCard(dataset=dataset, rows=mixture.height, languages=counts)


def _labels_by_language(mixture: pl.DataFrame) -> dict[str, dict[str, int]]:
    counts: dict[str, dict[str, int]] = {}
    labelled = mixture.filter(pl.col("label").is_not_null())
    by_label = labelled.group_by("language", "label").len().sort("language", "label")
    for language, label, rows in by_label.iter_rows():
        counts.setdefault(language, {})[label] = rows
    return counts
