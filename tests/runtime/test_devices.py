import ctypes

import pytest

from maple.runtime import devices


class Meter:
    """A toy NVML: from the third reading on, a GPU's energy counter is three joules higher."""

    def __init__(self, fails=()):
        self.fails, self.calls = fails, []

    def __getattr__(self, name):
        def call(*arguments):
            self.calls.append(name)
            if name == "nvmlDeviceGetTotalEnergyConsumption":
                arguments[1]._obj.value = 1_000_000 + 3000 * (self.calls.count(name) > 2)
            return int(name in self.fails)

        return call


@pytest.fixture
def gpus(monkeypatch):
    def present(names, meter):
        monkeypatch.setattr(devices, "visible_gpus", lambda: names)
        monkeypatch.setattr(ctypes, "CDLL", lambda name: meter)

    return present


def test_the_energy_of_a_job_is_the_increase_of_its_gpus_counters(gpus):
    gpus(["0", "GPU-7a"], Meter())
    before = devices.energy_joules()
    assert before == 2000.0
    assert devices.energy_since(before) == 6.0


@pytest.mark.parametrize(
    "broken", ["nvmlInit_v2", "nvmlDeviceGetHandleByIndex_v2", "nvmlDeviceGetTotalEnergyConsumption"]
)
def test_a_counter_that_cannot_be_read_gives_none(gpus, broken):
    gpus(["0"], Meter(fails=[broken]))
    assert devices.energy_joules() is None
    assert devices.energy_since(None) is None


def test_without_a_gpu_the_energy_is_none(gpus):
    gpus([], Meter())
    assert devices.energy_joules() is None
