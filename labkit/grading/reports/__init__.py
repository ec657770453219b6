"""Renderings of one result: terminal, HTML, Markdown, JUnit XML, Gradescope. All from labkit.grading.model."""
