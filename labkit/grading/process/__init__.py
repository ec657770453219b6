"""The processes of a grading: runner, judging process, warm parents, their places and tasks."""
