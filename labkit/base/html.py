"""Pages by Jinja: whatever others wrote stays text.

What belongs here: how a template of HTML is read. What does not: the templates, and what is put into them.
"""

import functools
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import jinja2


@functools.cache
def template_beside(module: str, name: str) -> "jinja2.Template":
    """The template `name` in the folder of a module, by its __file__: escapes what is put in, and misses nothing silently."""
    import jinja2

    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(module).parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    ).get_template(name)
