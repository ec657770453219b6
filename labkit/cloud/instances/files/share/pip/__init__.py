"""pip, as an instance has it: makes distributions of the image's shelf importable."""

__version__ = "21.3.1"
