"""Templates to files: the student's, with gaps, or the reference solution's, which fills them by inheritance.

What belongs here: how Jinja is set up and how its errors are told. What does not: where files are written
(labkit.workspace), how they are put together for AWS (labkit.build).

The delimiters are chosen so that a template is valid in its own language: line statements are comments
(`#> block name`), variables are `{@ name @}`, which neither shell, Python, HCL nor CloudFormation uses.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import NoReturn

import jinja2
from jinja2.sandbox import SandboxedEnvironment

from labkit.errors import TemplateError

TEMPLATES, SOLUTION = "templates", "solution"


class Renderer:
    """Renders the files of one kit. `root` is the folder that holds templates/ and perhaps solution/.

    `sources` maps a template's path below those folders to the name of the student's file.
    """

    def __init__(self, root: Path, sources: Mapping[str, str]) -> None:
        self._root = root
        self._sources = sources
        self._environment = _environment(root)

    @property
    def has_solution(self) -> bool:
        """Whether the reference solution is here; a hand-out does not have it."""
        return (self._root / SOLUTION).is_dir()

    def render(self, values: Mapping[str, str], *, solution: bool = False) -> dict[str, str]:
        """Every file by name, with `values` filled in.

        Raises TemplateError naming the template, the line and what is wrong or undefined there.
        """
        return {
            name: self._one(self._path(source, solution=solution), values)
            for source, name in self._sources.items()
        }

    def _path(self, source: str, *, solution: bool) -> str:
        """The solution's own version where it has one: a file without gaps is the same for both."""
        overridden = solution and (self._root / SOLUTION / source).is_file()
        return f"{SOLUTION if overridden else TEMPLATES}/{source}"

    def _one(self, path: str, values: Mapping[str, str]) -> str:
        try:
            return self._environment.get_template(path).render(values)
        except (jinja2.TemplateError, OSError, UnicodeDecodeError) as error:
            _refuse(path, error)


def _environment(root: Path) -> SandboxedEnvironment:
    return SandboxedEnvironment(
        loader=jinja2.PrefixLoader({n: jinja2.FileSystemLoader(root / n) for n in (TEMPLATES, SOLUTION)}),
        undefined=jinja2.StrictUndefined,
        line_statement_prefix="#>",
        variable_start_string="{@ ",
        variable_end_string=" @}",
        block_start_string="{@%",
        block_end_string="%@}",
        comment_start_string="{@#",
        comment_end_string="#@}",
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # the files are code, not HTML
    )


def _refuse(path: str, error: Exception) -> NoReturn:
    place = path
    if isinstance(error, jinja2.TemplateNotFound):
        what = f"there is no template {error.name}"
    else:
        line = getattr(error, "lineno", None) or _line_of(error, path)
        place = f"{getattr(error, 'name', None) or path}" + (f", line {line}" if line else "")
        what = str(error) or type(error).__name__
    raise TemplateError(
        f"{place}: {what}.", hint="Restore the kit's own file: get a fresh copy of the kit."
    ) from error


def _line_of(error: Exception, path: str) -> int | None:
    """The line of the template in which rendering stopped: the last frame of the traceback in it."""
    line, frame = None, error.__traceback__
    while frame is not None:
        if frame.tb_frame.f_code.co_filename.endswith(path):
            line = frame.tb_lineno
        frame = frame.tb_next
    return line
