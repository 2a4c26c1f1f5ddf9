"""The examples in docstrings of pure functions are true."""

import doctest
import importlib
import pkgutil

import pytest

import maple.metrics
import maple.text

MODULES = [
    module.name
    for package in (maple.text, maple.metrics)
    for module in pkgutil.iter_modules(package.__path__, f"{package.__name__}.")
]


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_of_a_module_hold(name):
    assert doctest.testmod(importlib.import_module(name)).failed == 0
