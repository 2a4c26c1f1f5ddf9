"""Score one run's completions, in the languages of which something changed."""

from itertools import repeat

from maple.definitions.run import RunKey
from maple.definitions.task import Reading
from maple.evaluation.run_scores import AskedLanguage, AskedTranslation, score_run
from maple.runtime.logs import log_to

log_to(snakemake.log[0])
pairs = zip(snakemake.params.languages, snakemake.params.writings, strict=True)
languages = [AskedLanguage.of(row, snakemake.params.answer_languages, writing) for row, writing in pairs]
round_trips = repeat(snakemake.input.round_trips or None)  # Snakemake gives an empty list for an input without files
codes = [language.identity.code for language in languages]
scored = score_run(
    dict(zip(codes, snakemake.input.generations, strict=True)),
    dict(zip(codes, snakemake.output.scores, strict=True)),
    metrics=snakemake.params.metrics,
    run=RunKey(**snakemake.params.run),
    languages=languages,
    code=snakemake.params.code,
    translations=list(
        map(AskedTranslation.of, snakemake.params.translations, snakemake.input.translations, round_trips)
    ),
    readings={task: Reading(**spec) for task, spec in snakemake.params.readings.items()},
)
print(f"scored {len(scored)} of {len(codes)} languages, the others are unchanged:", *scored)
