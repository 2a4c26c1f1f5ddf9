"""Functions of the report rules: their inputs and params."""


def published(wildcards):
    """What `publish` makes: the records of uploads; ends Snakemake if the config names no repository."""
    if not STUDY.published:
        sys.exit(
            "config: publish: nothing is to be uploaded; write "
            'publish: {repository: "OWNER/{model}-{dataset}-{method}-seed{seed}", what: adapter, private: true}'
        )
    return [f"results/published/{path}.json" for path in STUDY.published]


def identities(codes):
    """Code, name, iso639_1 and script of languages, by code."""
    return {code: STUDY.languages.identity(code).params() for code in codes}
