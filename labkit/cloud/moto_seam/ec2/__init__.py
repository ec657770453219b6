"""Corrections of moto's EC2, and reading its records."""
