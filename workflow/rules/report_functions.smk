"""Functions of the report rules: their params."""


def identities(codes):
    """Code, name, iso639_1 and script of languages, by code."""
    return {code: STUDY.languages.identity(code).params() for code in codes}
