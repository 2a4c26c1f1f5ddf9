"""The project's own study, with changes of its config."""

from project import ROOT

from maple.definitions.reading import read_yaml
from maple.study.reading import read_study
from maple.study.study import Study

CONFIG = read_yaml(ROOT / "config/config.yaml")


def study(**changes) -> Study:
    return read_study(CONFIG | changes, ROOT / "config")
