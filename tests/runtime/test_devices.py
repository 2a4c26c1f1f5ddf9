import ctypes

import pytest

from maple.runtime import devices


class Meter:
    """NVML as it answers of GPUs: the second call of a GPU's counter finds three joules more."""

    def __init__(self, fails=()):
        self.fails, self.asked = fails, []

    def __getattr__(self, name):
        def call(*arguments):
            self.asked.append(name)
            if name == "nvmlDeviceGetTotalEnergyConsumption":
                arguments[1]._obj.value = 1_000_000 + 3000 * (self.asked.count(name) > 2)
            return int(name in self.fails)

        return call


@pytest.fixture
def gpus(monkeypatch):
    def present(names, meter):
        monkeypatch.setattr(devices, "visible_gpus", lambda: names)
        monkeypatch.setattr(ctypes, "CDLL", lambda name: meter)

    return present


def test_the_energy_of_a_job_is_what_the_meters_of_its_gpus_went_on_by(gpus):
    gpus(["0", "GPU-7a"], Meter())
    before = devices.energy_joules()
    assert before == 2000.0
    assert devices.energy_since(before) == 6.0


@pytest.mark.parametrize(
    "broken", ["nvmlInit_v2", "nvmlDeviceGetHandleByIndex_v2", "nvmlDeviceGetTotalEnergyConsumption"]
)
def test_a_meter_that_cannot_be_read_tells_nothing(gpus, broken):
    gpus(["0"], Meter(fails=[broken]))
    assert devices.energy_joules() is None
    assert devices.energy_since(None) is None


def test_without_a_gpu_nothing_is_told(gpus):
    gpus([], Meter())
    assert devices.energy_joules() is None
