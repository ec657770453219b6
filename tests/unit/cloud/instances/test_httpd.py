"""httpd's configuration as an instance's httpd understands it."""

from pathlib import Path

import pytest

from labkit.cloud.instances.files.share.servers.httpd import settings, syntax
from labkit.cloud.instances.files.share.servers.places import Site

_OWN = Path(settings.__file__).with_name("etc") / "httpd.conf"


@pytest.fixture
def configured(tmp_path: Path) -> "Configured":
    return Configured(tmp_path)


class Configured:
    """The image's own configuration with something more in conf.d."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def site(self, more: str = "", *, change: tuple[str, str] = ("", "")) -> Site:
        text = _OWN.read_text().replace("conf.d/*.conf", f"{self._folder}/more.conf")
        (self._folder / "more.conf").write_text(more)
        (self._folder / "httpd.conf").write_text(text.replace(*change) if change[0] else text)
        return settings.understand(syntax.read(str(self._folder / "httpd.conf")))


def test_without_more_one_server_on_port_80_serves_var_www_html(configured: Configured) -> None:
    """Apache HTTP Server 2.4, core: Listen, DocumentRoot; mod_dir: DirectoryIndex; mod_autoindex: Options Indexes."""
    site = configured.site()
    (server,) = site.servers
    assert (server.listens, server.root, server.index) == ([("", 80, False)], "/var/www/html", ["index.html"])
    assert site.folder_of("/var/www/html/a/b").listed
    assert site.folder_of("/etc/passwd").shut
    assert not site.folder_of("/var/www/html/a").shut


def test_an_edited_port_and_a_virtual_host(configured: Configured) -> None:
    """Apache HTTP Server 2.4, "Name-based Virtual Host Support": each port's first host is its default."""
    host = """<VirtualHost *:8080>
  ServerName a.example
  ServerAlias b.example
  DocumentRoot "/srv/a"
  ProxyPass /api http://127.0.0.1:3000/
  Redirect permanent /old http://a.example/new
  CustomLog logs/a_log combined
</VirtualHost>
"""
    site = configured.site(host, change=("Listen 80", "Listen 8080"))
    (server,) = site.servers
    assert (server.names, server.root) == (["a.example", "b.example"], "/srv/a")
    assert server.listens == [("", 8080, False)]
    assert server.access_log == "/var/log/httpd/a_log"
    proxied, moved = server.locations
    assert (proxied.pattern, proxied.proxy) == ("/api", "http://127.0.0.1:3000/")
    assert moved.returns == ["301", "http://a.example/new$path_rest"]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("Lisen 81", "Invalid command 'Lisen', perhaps misspelled"),
        ("RewriteEngine On", "The local cloud's httpd has no mod_rewrite: RewriteEngine"),
        ("<Directory /x>", "<Directory> was not closed."),
        ("</Directory>", "</Directory> without matching"),
        ("Listen x", "Invalid address or port: x"),
    ],
)
def test_what_it_does_not_know_is_told_with_its_line(configured: Configured, line: str, words: str) -> None:
    """Apache HTTP Server 2.4, "Configuration Files": a syntax error names line and file."""
    with pytest.raises(syntax.Mistake, match=r"Syntax error (on line|in)") as refused:
        configured.site(line)
    assert words in str(refused.value)


def test_a_folder_takes_what_it_does_not_say_from_the_folder_above(configured: Configured) -> None:
    """Apache HTTP Server 2.4, "Configuration Sections": <Directory> sections from the shortest path on."""
    site = configured.site("<Directory /var/www/html/private>\nOptions -Indexes\n</Directory>\n")
    folder = site.folder_of("/var/www/html/private/x")
    assert not folder.listed
    assert not folder.shut
