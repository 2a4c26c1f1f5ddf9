"""Functions of the report rules: their inputs and params."""

from maple.planning.plan import plan_of


def published(wildcards):
    """What `publish` makes: the records of uploads; ends Snakemake if the config names no repository."""
    if not STUDY.published:
        sys.exit(
            "config: publish: nothing is to be uploaded; write "
            'publish: {repository: "OWNER/{model}-{dataset}-{method}-seed{seed}", what: adapter, private: true}'
        )
    return [f"results/published/{path}.json" for path in STUDY.published]


def published_weights(wildcards):
    """The folder of a run that is uploaded."""
    return f"results/{published_kind(wildcards)}/{run_key(wildcards).path}"


def published_card(wildcards):
    """The model card of that folder."""
    return f"results/model_cards/{published_kind(wildcards)}/{run_key(wildcards).path}/README.md"


def published_kind(wildcards):
    """What is uploaded of a run: a model that was saved whole, else what the config's publish.what names."""
    return "trained" if wildcards.method in SAVING_MODELS else PUBLISHED_KIND


def identities(codes):
    """Code, name, iso639_1 and script of languages, by code."""
    return {code: STUDY.languages.identity(code).params() for code in codes}


def published_repository(wildcards):
    """The Hub's repository that a run is uploaded to."""
    return STUDY.published[run_key(wildcards).path]


def planned_study(wildcards):
    """What the forecast reads of the study; only made where a forecast is asked for."""
    return plan_of(STUDY).params()


def places_of_results(wildcards):
    """Where the forecast looks for results; from a function, since the braces are no wildcards of the rule."""
    return RESULT_PATHS
