"""Answers that are means of contrasts: the whole, its parts, its lines, and languages as a sample."""

from collections.abc import Sequence

from maple.analysis.questions.comparison import Comparison, blocks_with, equally, paths_of
from maple.analysis.questions.contrasts import UNIT, Contrast
from maple.analysis.questions.evidence import Evidence
from maple.analysis.questions.over_languages import Whole, between, clusters_of, language_effects, over_languages
from maple.analysis.questions.records import Answer, Line, NotAsked, heading, not_asked
from maple.definitions.language import ENGLISH
from maple.definitions.question import DifferenceQuestion, QuestionBase, SlopeQuestion


def mean_answer(
    name: str,
    question: SlopeQuestion | DifferenceQuestion,
    evidence: Evidence,
    contrasts: Sequence[Contrast],
    missing: str,
    *,
    by: Sequence[str],
    unit: Sequence[str],
) -> Answer | NotAsked:
    """Return the answer that the mean of contrasts gives on the question's cells; `missing` says why there are none."""
    if evidence.has_no_cells(question.cells):
        return not_asked(name, question, evidence.missing(question.cells))
    if not contrasts:
        return not_asked(name, question, missing)
    blocks = blocks_with(evidence, contrasts, question.cells)
    if not blocks.contrasts:
        return not_asked(name, question, evidence.missing(question.cells))
    comparison, confidence = blocks.compare(equally(question.cells)), evidence.settings.confidence
    return answer_from_contrasts(
        name, question, evidence, comparison, blocks.contrasts, by=by, unit=unit, confidence=confidence
    )


def answer_from_contrasts(
    name: str,
    question: QuestionBase,
    evidence: Evidence,
    comparison: Comparison,
    contrasts: Sequence[Contrast],
    *,
    by: Sequence[str],
    unit: Sequence[str] = UNIT,
    confidence: float,
) -> Answer:
    """Return the answer that contrasts give on a comparison, without its verdict."""
    found = comparison.effects(contrasts, by, unit, confidence)
    answer = Answer(
        **heading(name, question),
        **found.whole.params(),
        repeats=found.whole.repeats,
        parts=found.parts,
        lines=[Line(**row.params()) for row in found.lines],
        cells=comparison.cells,
        left_out=comparison.left_out,
        runs=paths_of(evidence, contrasts),
    )
    if comparison.languages == [ENGLISH]:
        return answer
    return _with_languages(answer, evidence, comparison, comparison.whole(contrasts, by, unit), confidence)


def _with_languages(
    answer: Answer, evidence: Evidence, comparison: Comparison, whole: Whole, confidence: float
) -> Answer:
    """Return an answer with its effect in languages like the compared ones, and in each of several languages."""
    sides = comparison.sides or [comparison]
    clusters, cluster = clusters_of([side.languages for side in sides], evidence.languages)
    least, weights = comparison.least, whole.weights[:, None]
    samples, rows, changes = [], [], []
    for side in sides:
        by_code = side.values(whole, {code: code for code in side.languages})
        values = by_code if clusters == "languages" else side.values(whole, cluster)
        sample = between(values, side.of_items(whole.weights))
        samples.append(sample)
        rows += language_effects(by_code, confidence, least)
        changes.append(over_languages(side.contrast(weights), [sample], clusters, confidence, least).side)
    found = over_languages(comparison.contrast(weights), samples, clusters, confidence, least)
    if comparison.sides:
        low, high = changes
        found = found.model_copy(update={"low_resource": low, "high_resource": high})
    return answer.model_copy(update={"over_languages": found, **({"by_language": rows} if len(rows) > 1 else {})})
