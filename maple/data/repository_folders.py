"""Names of the folders in which repositories of the Hub lie."""


def repository_folder(kind: str, repository: str, revision: str) -> str:
    """Return the name of the folder of a Hub repository; `kind` is "model" or "dataset".

    >>> repository_folder("dataset", "facebook/xnli", "b8dd5d7")
    'datasets--facebook--xnli--b8dd5d7'
    """
    return f"{kind}s--{repository.replace('/', '--')}--{revision}"
