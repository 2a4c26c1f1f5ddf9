"""The Hub's repositories that a study publishes its runs in."""

import re
from collections.abc import Mapping, Sequence

from maple.definitions.config import PublishSettings
from maple.definitions.errors import DefinitionError
from maple.definitions.run import Run
from maple.study.checks import check_path
from maple.study.methods import StudyMethod

FIELDS = ("model", "dataset", "method", "seed")
# owner/name as the Hub takes them: no dash or dot at an end, and no two of them side by side.
PART = r"[A-Za-z0-9](?:[._-]?[A-Za-z0-9_])*"
REPOSITORY = re.compile(f"{PART}/{PART}")
LONGEST = 96  # characters of owner/name


def published_runs(
    settings: PublishSettings | None, runs: Sequence[Run], methods: Mapping[str, StudyMethod]
) -> dict[str, str]:
    """Return the repository of each finetuned run by the run's path; none without settings.

    Raises DefinitionError for a name that the Hub does not take, one that two runs would share, and merged models of
    runs whose adapters stay attached.
    """
    if settings is None:
        return {}
    where, repositories = "config: publish.repository", {}
    check_path(where, settings.repository, FIELDS)
    for run in runs:
        name = settings.repository.format(**run.key.params())
        if not REPOSITORY.fullmatch(name) or len(name) > LONGEST:
            raise DefinitionError(
                f"{where}: the Hub takes no repository {name!r}; write OWNER/NAME of letters, digits and single . _ - "
                f"between them, at most {LONGEST} characters"
            )
        if other := next((path for path, taken in repositories.items() if taken.casefold() == name.casefold()), None):
            raise DefinitionError(
                f"{where}: {other} and {run.path} would both be {name}; write all of "
                f"{', '.join(f'{{{field}}}' for field in FIELDS)} that differ into it"
            )
        if settings.what == "merged" and methods[run.method].attached:
            raise DefinitionError(
                f"config: publish.what: merged: the adapters of {run.method} stay attached, and there is no merged "
                "model of them; write adapter"
            )
        repositories[run.path] = name
    return repositories
