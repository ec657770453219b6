"""Every error that a person may see, as one family.

    LabError                      base: message, hint, exit status 1
    ├── UsageError                the command line or an id is wrong; exit status 2
    ├── ManifestError             lab.toml is missing or broken
    ├── WorkspaceError            the student's folder is missing, broken or foreign
    ├── TemplateError             a template or a built file is wrong
    ├── StateError                a state file can't be read or written
    ├── StepOrderError            a step was started before the one it needs
    ├── BusyError                 another step or cloud holds the lock
    ├── SandboxError              a process could not be started, or broke its limits
    │   └── SandboxUnavailable    this machine refuses what the sandbox needs
    ├── CloudError                the local cloud did not start, answer or stop
    │   └── CloudDeclined         it answered: what was named is not there, or can't be
    └── DeployError               an engine refused or failed
        └── EngineError           the engine itself is not here, is too old, or broke
            └── EngineMissing     there is none

What belongs here: classes that carry a message for people. What does not: results. A check that
fails is a result (labkit.lesson), never an error.
"""


class LabError(Exception):
    """Something a person must know: what happened, and the next thing to do.

    `message` says what was seen and where; `hint` is the next thing to do (a command where
    possible); a command too long for its sentence is a line of its own, begun by two spaces, and is shown
    whole, for pasting. Shown without a traceback unless `--debug` is given.
    """

    exit_status = 1

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageError(LabError):
    """The command line or an id is wrong."""

    exit_status = 2


class ManifestError(LabError):
    """lab.toml is missing or broken."""


class WorkspaceError(LabError):
    """The student's folder is missing, broken or belongs to something else."""


class TemplateError(LabError):
    """A template, or a file built from one, is wrong."""


class StateError(LabError):
    """A state file can't be read or written."""


class StepOrderError(LabError):
    """A step was started before the one it needs."""


class BusyError(LabError):
    """Another step or another cloud is at work on the same files."""


class SandboxError(LabError):
    """A sandboxed process could not be started."""


class SandboxUnavailable(SandboxError):
    """This machine refuses what the sandbox needs; the hint says how to allow it."""


class CloudError(LabError):
    """The local cloud did not start, answer or stop."""


class CloudDeclined(CloudError):
    """The local cloud answered, and declined: what was named is not there, or can't be asked for."""


class DeployError(LabError):
    """An engine refused or failed to create, change or destroy resources."""


class EngineError(DeployError):
    """The engine itself is not here, is too old, or broke: whatever the files say, it is not their fault."""


class EngineMissing(EngineError):
    """The engine, or the provider that it needs, is not here and can't be had now: another try says the same."""
