"""The commands with which a student looks at what stands: shell, logs, forward, open.

What belongs here: the command line of these. What does not: work.
"""

import argparse
import contextlib
import functools
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from labkit.base.errors import UsageError
from labkit.cli import step_options
from labkit.cli.console import Console

if TYPE_CHECKING:
    from labkit.lesson.context import Context

Add = Callable[..., argparse.ArgumentParser]


def register(add: Add) -> None:
    """Add the commands of this module to the command line."""
    # the shell says itself where it is
    shell = add("shell", "a shell for the local cloud, or inside an instance", _shell, looks=False)
    shell.add_argument(
        "place", nargs="?", metavar="server|INSTANCE", help="your server, or an instance by id or Name"
    )
    shell.add_argument("words", nargs="*", metavar="COMMAND", help="run this instead (after --)")
    _where(shell)
    logs = add("logs", "what an instance or a function said", _logs)
    logs.add_argument(
        "place",
        metavar="server|boot|function|NAME",
        help="your own, or any instance or function by id or name",
    )
    logs.add_argument("--find", metavar="TEXT", help="only lines with this text, for example a request id")
    _where(logs)
    forward = add("forward", "an address of this machine for a port of an instance", _forward)
    forward.add_argument("instance", help="an instance by id or Name")
    forward.add_argument("port", type=int)
    forward.add_argument(
        "--local", type=int, default=0, metavar="PORT", help="the port of this machine (default: the same)"
    )
    page = add("open", "one local page with path, images, rows and logs", _open)
    page.add_argument("--no-browser", action="store_true", help="only say where the page is")
    _where(page)


def _where(parser: argparse.ArgumentParser) -> None:
    for name in ("target", "region"):
        parser.add_argument(f"--{name}", **step_options.OPTIONS[name])


def _shell(context: "Context", arguments: argparse.Namespace, console: Console) -> int:
    if arguments.place == "server":
        return _server_shell(context, arguments.words, console)
    if arguments.place:
        return _instance_shell(context, arguments.place, arguments.words, console)
    return local_shell(context, console)


def _instance_shell(context: "Context", name: str, words: list[str], console: Console) -> int:
    from labkit.base.errors import CloudError
    from labkit.cli import terminal
    from labkit.lesson.path import power, things

    instance = things.find(context, name, kinds=("instance",))
    if instance.state != "running":
        raise CloudError(
            f"{instance.name} is {instance.state}: nobody can go in.", hint=power.start(instance.name)
        )
    if not words:
        console.line(f"Inside {instance.name} (local cloud), as root. Leave it with: exit", style="strong")
    return terminal.hand_on(lambda descriptors: context.cloud.run_inside(instance.name, words, descriptors))


def _server_shell(context: "Context", words: list[str], console: Console) -> int:
    from labkit.base.errors import CloudError
    from labkit.cli import terminal
    from labkit.lesson.path import power

    instance, port = context.deployed().outputs["InstanceId"], context.workspace.variant.port
    if (state := power.state_of(context.clients, instance)) != "running":
        raise CloudError(f"Your server {instance} is {state}: nobody can go in.", hint=power.start(instance))
    if not context.place.inside:
        context.place.output_inside(instance, words)  # says why not, and where one can
    if not words:
        console.line(f"Inside your server {instance} (local cloud), as root. Try:", style="strong")
        console.line("  journalctl -u flask-app    systemctl status flask-app")
        console.line(f"  curl localhost:{port}/health")
        console.line("Leave it with: exit")
    return terminal.hand_on(lambda descriptors: context.cloud.run_inside(instance, words, descriptors))


def _default_profile(path: Path, environment: Mapping[str, str]) -> Path:
    """The profile `default` of the shell, as after `aws configure`: labs name it (profile = "default")."""
    from labkit.base import state

    lines = (
        "[default]",
        f"aws_access_key_id = {environment['AWS_ACCESS_KEY_ID']}",
        f"aws_secret_access_key = {environment['AWS_SECRET_ACCESS_KEY']}",
        f"region = {environment['AWS_DEFAULT_REGION']}",
        f"endpoint_url = {environment['AWS_ENDPOINT_URL']}",
    )
    state.write_text(path, "\n".join(lines) + "\n", mode=0o600)
    return path


def _proxied(url: str) -> dict[str, str]:
    """The variables by which programs ask the cloud's proxy; not for this machine, and not where Terraform gets providers."""
    direct = "127.0.0.1,localhost,169.254.169.254,registry.terraform.io,releases.hashicorp.com,registry.opentofu.org,github.com"
    names = {"http_proxy": url, "https_proxy": url, "no_proxy": direct}
    return names | {name.upper(): value for name, value in names.items()}


def local_shell(context: "Context", console: Console) -> int:
    """A shell in which the AWS CLI, boto3, curl and Terraform mean the target, and only that."""
    from labkit.cli import aws_cli, ssh_client, terminal

    target = context.clients.target
    words = context.target_words if context.on_aws else "local cloud"
    around = context.terraform.variables(target)
    path = f"{aws_cli.install(context.places.state / 'bin')}{os.pathsep}{around.get('PATH', os.defpath)}"
    proxied = _proxied(str(context.cloud.ask("GET", "proxy")["url"])) if target.is_local else {}
    environment = {
        **around,
        "PATH": path,
        "PS1": f"({words}) $ ",
        "PROMPT": f"({words}) $ ",
        "LAB_TARGET": words,
        **proxied,
        "AWS_PAGER": "",
    }
    if target.is_local:
        ssh_client.install(context.places.state / "bin" / "local")
        environment["PATH"] = f"{context.places.state / 'bin' / 'local'}{os.pathsep}{path}"
        environment["AWS_CONFIG_FILE"] = str(
            _default_profile(context.places.state / "aws-config", environment)
        )
    meaning = f"mean {words}" if context.on_aws else "mean the local cloud"
    console.line(f"In this shell AWS commands {meaning}. Leave it with: exit", style="strong")
    if context.on_aws:
        console.line("What you create here by hand costs until you delete it.")
    os.chdir(context.places.base)  # where the printed commands' paths begin
    return terminal.shell(environment)


def _logs(context: "Context", arguments: argparse.Namespace, console: Console) -> int:
    from labkit.base.text import printable
    from labkit.lesson.path import logs, things

    if arguments.place == "server" and not context.place.inside:
        console.line(
            "A server's journal is inside it, and from here nobody looks inside a server on AWS.",
            style="warn",
        )
        console.line(
            "In AWS's console: your instance, Connect, Session Manager. The boot log:  ./lab logs boot"
        )
        return 1
    readers: Mapping[str, Callable[..., list[str]]] = {
        "server": logs.server,
        "boot": logs.boot,
        "function": functools.partial(logs.function, times=True),
    }
    if read := readers.get(arguments.place):
        said = read(context, context.deployed().outputs)
    else:
        said = things.said(context, things.find(context, arguments.place))
    lines = [line for line in said if (arguments.find or "") in line]
    for line in lines:
        console.line(printable(line))
    if not lines:
        console.line("No such line." if arguments.find else "Nothing was said yet.")
    console.result({"lines": lines})
    return 0


def _forward(context: "Context", arguments: argparse.Namespace, console: Console) -> int:
    from labkit.cli import forward

    return forward.run(context, arguments, console)


def _open(context: "Context", arguments: argparse.Namespace, console: Console) -> int:
    from labkit.cli import browsing
    from labkit.lesson.page.site import LabSite

    if context.on_aws:
        raise UsageError(
            "The page asks for all that stands every few seconds: it is for the local cloud.",
            hint="At home:  ./lab open --target local",
        )
    site = LabSite(context)
    with contextlib.closing(site.runner):
        browsing.until_ctrl_c(
            site,
            console,
            "Your lab on one page",
            "It shows what stands, by itself, and runs steps at a click.",
            browser=not arguments.no_browser,
        )
    console.line("The page is closed. Next:  ./lab")
    return 0
