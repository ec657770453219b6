"""From the paths that a sandbox's processes speak of to where the files really lie, and back.

What belongs here: pure text. What does not: who asks (files.py), and what lies there (roots.py).
Runs inside: standard library only.
"""

import re
from collections.abc import Container, Iterator, Sequence

#: these belong to the sandbox, as does what it makes at its root; everything else is this machine's
OWN = (
    "/opt", "/etc", "/var", "/home", "/root", "/srv", "/mnt", "/run", "/tmp", "/usr/local", "/usr/share/lab",
    "/dev/console", "/dev/shm",
)  # fmt: skip
#: never the sandbox's, as a whole
_MACHINES = frozenset(
    {
        "usr",
        "bin",
        "sbin",
        "lib",
        "lib32",
        "lib64",
        "libx32",
        "proc",
        "sys",
        "dev",
        "nix",
        "System",
        "Library",
        "private",
    }
)
#: where a shell makes something: the arguments of these programs, redirections, and options that name an output
_MAKES = re.compile(
    r"\b(?:mkdir|touch|tee|cd|cp|mv|ln|install|unzip|venv|git\s+clone)\b[^;&|<>]*|>>?\s*\S+|\s-[oOCP]\s+\S+"
)
_AT_ROOT = re.compile(r"(?:^|[\s>'\"=])/([A-Za-z_][\w.-]*)(?=[/\s'\";)&|]|$)")
_OWN = "|".join(re.escape(path) for path in OWN)
_PROGRAM = re.compile(r"/(?:usr/)?s?bin/([^/]+)")
_HEREDOC = re.compile(r"<<-?\s*(['\"]?)(\w+)\1")
_EUID = re.compile(r"\$\{?EUID\b\}?")
#: to the root, and to say where one is, as commands of their own
_CD_ROOT = re.compile(r"(?<![\w./-])cd\s+/(?=\s*(?:[;&|)#]|$))")
_PWD = re.compile(r"(?P<before>^\s*|[;&]\s*)pwd(?=\s*(?:[;&]|$))")
_SHELL = re.compile(r"#!\s*\S*?(?:/env\s+)?(?:/|\b)(?:ba|da|z|k)?sh\b")
#: a path begins after none of these: it would be the rest of a URL or of a longer path; nor after a quote that
#: closes (one that opens a Python string may have a letter before it)
_BEFORE = r"(?<![\w.\-/})\]])(?:(?<![\w})\]][\"'])|(?<=[^\w][fFrRbB][\"']))"
_AFTER = r"(?=[/\s\"'`;:,)&|<>]|$)"


class Translation:
    """Between the paths of one sandbox and this machine's."""

    def __init__(
        self, root: str, *, farm: str = "", kept: Sequence[str] = (), programs: Container[str] = (),
        made: Container[str] = (), free: Container[str] = (),
    ) -> None:  # fmt: skip
        """`root`: the sandbox's folder. `programs`: names below its own /usr/bin; `farm`, `kept`: see World.

        Of names at the root: `made`, what the sandbox has there; `free`, what this machine has not.
        """
        self.root, self._farm, self._programs = root, farm, programs
        self._made, self._free, self._spoken = made, free, set[str]()
        self._kept = tuple(kept)
        self._mapped = re.compile(rf"(?:{_OWN})(?=/|$)")
        done, own = rf"(?P<done>{re.escape(root)})", rf"(?P<own>{_OWN}){_AFTER}"
        program = r"/(?:usr/)?s?bin/(?P<name>[\w.+-]+)"
        self._in_text = re.compile(rf"{_BEFORE}(?:{done}|{own}|{program}|/(?P<top>[A-Za-z_][\w.-]*){_AFTER})")

    def real(self, path: str) -> str:
        """Where `path` really lies."""
        if not path.startswith("/") or path.startswith((self.root, *self._kept)):
            return path
        if path == "/":
            return self.root
        if self._mapped.match(path):
            return self.root + path
        if self._is_made(top := path[1:].partition("/")[0]) or (top not in _MACHINES and top in self._free):
            return self.root + path
        program = _PROGRAM.fullmatch(path)
        return f"{self.root}/usr/bin/{program[1]}" if program and program[1] in self._programs else path

    def _is_made(self, top: str) -> bool:
        return top not in _MACHINES and (top in self._made or top in self._spoken)

    def shown(self, path: str) -> str:
        """`path` as the sandbox knows it."""
        return (path[len(self.root) :] or "/") if path.startswith(self.root) else path

    def text(self, text: str) -> str:
        """A piece of shell, or an argument, with its paths made real. Twice is as once."""
        return self._in_text.sub(self._replaced, text)

    def _replaced(self, match: re.Match[str]) -> str:
        if match["own"] or (match["top"] and self._is_made(match["top"])):
            return (
                match[0]
                if match.string.startswith(self._kept, match.start()) and self._kept
                else self.root + match[0]
            )
        if match["name"] and match["name"] in self._programs:
            return f"{self.root}/usr/bin/{match['name']}"
        return match[0]

    def script(self, text: str) -> str:
        """A script with its paths made real: all of a shell's but here-documents, else the first line.

        A here-document is another program's text: a unit, Python. That is translated when it is used.
        """
        first, newline, rest = text.partition("\n")
        if not _SHELL.match(first):
            return self.text(first) + newline + rest
        lines = rest.splitlines(keepends=True)
        for made in _MAKES.findall(rest):
            self._spoken.update(name for name in _AT_ROOT.findall(made) if name in self._free)
        return self.text(first) + newline + "".join(self._shell_lines(lines))

    def _shell_lines(self, lines: list[str]) -> Iterator[str]:
        index = 0
        while index < len(lines):
            line = lines[index]
            index += 1
            yield self._shell_line(self.text(line))
            heredoc = _HEREDOC.search(line)
            if heredoc:
                end = next(
                    (i for i in range(index, len(lines)) if lines[i].strip() == heredoc[2]), len(lines)
                )
                body = "".join(lines[index:end])
                yield self.script(body) if _SHELL.match(body) else body
                index = end

    def _shell_line(self, line: str) -> str:
        """What a shell itself knows: who it is, and where."""
        line = _CD_ROOT.sub(f"cd {self.root}", _EUID.sub("0", line))
        return _PWD.sub(rf"\g<before>pwd | sed 's#^{self.root}##; s#^$#/#'", line)

    def path_variable(self, value: str) -> str:
        """The value of PATH: the sandbox's own folders, then this machine's programs that it may find."""
        found: list[str] = []
        for folder in value.split(":"):
            if folder.rstrip("/") in ("/usr/bin", "/usr/sbin", "/bin", "/sbin"):
                found += [f"{self.root}/usr/bin", self._farm or folder]
            else:
                found.append(self.real(folder))
        return ":".join(dict.fromkeys(found))
