"""Measuring the deployed system: repetitions, numbers, plots, delays like AWS's."""
