"""Forecast of the time, disk, downloads and energy that a study will take."""
