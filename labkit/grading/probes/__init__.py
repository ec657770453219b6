"""What checks touch the lab with: one module for each part of it. Collected in labkit.grading.api."""
