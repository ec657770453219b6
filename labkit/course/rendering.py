"""Templates to files: the student's, with gaps, or the reference solution's, which fills them by inheritance.

What belongs here: how Jinja is set up and how its errors are told. What does not: where files are written
(labkit.course.workspace), how they are put together for AWS (labkit.course.build).

The delimiters are chosen so that a template is valid in its own language: line statements are comments
(`#> block name`), variables are `{@ name @}`, which neither shell, Python, HCL nor CloudFormation uses.
"""

import functools
from collections.abc import Mapping
from pathlib import Path

import jinja2
from jinja2.sandbox import SandboxedEnvironment

from labkit.base.errors import TemplateError

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
            raise _refusal(path, self._root, error) from error


@functools.lru_cache(
    maxsize=4
)  # compiled templates serve every rendering of a process, and of those forked from it
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


def _refusal(path: str, root: Path, error: Exception) -> TemplateError:
    if isinstance(error, jinja2.TemplateNotFound):
        place, what = path, f"there is no template {error.name}"
    else:
        place, what = _place(error, root) or path, str(error).rstrip(".") or type(error).__name__
    return TemplateError(f"{place}: {what}.", hint="Restore the kit's own file: get a fresh copy of the kit.")


def _place(error: Exception, root: Path) -> str:
    """Template and line where it went wrong, "" when no template is to blame: from the error or its traceback."""
    if isinstance(error, jinja2.TemplateSyntaxError) and error.filename:
        return f"{Path(error.filename).relative_to(root)}, line {error.lineno}"
    place, trace = "", error.__traceback__
    while trace is not None:
        source = Path(trace.tb_frame.f_code.co_filename)
        if source.is_relative_to(root / TEMPLATES) or source.is_relative_to(root / SOLUTION):
            place = f"{source.relative_to(root)}, line {trace.tb_lineno}"
        trace = trace.tb_next
    return place
