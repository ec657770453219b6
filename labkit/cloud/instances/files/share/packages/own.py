"""Packages of Amazon's repository that are here in programs of ours: what each puts where."""

import os

from .places import account, program, put

_UNITS = "/usr/local/lib/systemd/system"


def install_nginx() -> None:
    """Nginx: a web server and reverse proxy (servers.nginx)."""
    program("nginx", "servers.nginx")
    account("nginx", 992, "/var/lib/nginx")
    put("servers/nginx/etc/nginx.conf", "/etc/nginx/nginx.conf")
    put("servers/nginx/etc/nginx.service", f"{_UNITS}/nginx.service")
    put("servers/nginx/etc/index.html", "/usr/share/nginx/html/index.html")
    for folder in ("/etc/nginx/conf.d", "/etc/nginx/default.d", "/var/log/nginx"):
        os.makedirs(folder, exist_ok=True)


def install_httpd() -> None:
    """Apache httpd: a web server (servers.httpd)."""
    for name in ("httpd", "apachectl"):
        program(name, "servers.httpd")
    account("apache", 48, "/usr/share/httpd")
    put("servers/httpd/etc/httpd.conf", "/etc/httpd/conf/httpd.conf")
    put("servers/httpd/etc/welcome.conf", "/etc/httpd/conf.d/welcome.conf")
    put("servers/httpd/etc/httpd.service", f"{_UNITS}/httpd.service")
    for folder in ("/etc/httpd/conf.modules.d", "/var/log/httpd", "/var/www/html", "/var/www/cgi-bin"):
        os.makedirs(folder, exist_ok=True)
    if not os.path.lexists("/etc/httpd/logs"):
        os.symlink("/var/log/httpd", "/etc/httpd/logs")


def install_cronie() -> None:
    """Cronie: crond and crontab (cron)."""
    for name in ("crond", "crontab"):
        program(name, "cron")
    put("cron/crond.service", f"{_UNITS}/crond.service")
    for folder in ("/etc/cron.d", "/var/spool/cron"):
        os.makedirs(folder, exist_ok=True)


OWN = {
    "nginx": install_nginx,
    "nginx-core": install_nginx,
    "httpd": install_httpd,
    "httpd-core": install_httpd,
    "cronie": install_cronie,
}
