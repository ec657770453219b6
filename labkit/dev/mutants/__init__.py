"""Mutants of the reference solution, by which the grader itself is judged: each must lose points, or be no mistake."""
