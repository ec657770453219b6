"""What is in Amazon's repository, and what the local cloud has of it.

AWS: Amazon Linux 2023 release notes, "All AL2023 packages". The local cloud knows the names that labs use, by families.
"""

import re

#: part of the image on AWS: installing them again does nothing
PRESENT = frozenset(
    [
        "acl",
        "amazon-ec2-net-utils",
        "amazon-linux-repo-s3",
        "amazon-rpm-config",
        "amazon-ssm-agent",
        "attr",
        "audit",
        "aws-cfn-bootstrap",
        "awscli",
        "awscli-2",
        "basesystem",
        "bash",
        "bash-completion",
        "bzip2",
        "ca-certificates",
        "chrony",
        "cloud-init",
        "cloud-utils-growpart",
        "coreutils",
        "cpio",
        "crontabs",
        "curl",
        "curl-minimal",
        "diffutils",
        "dnf",
        "dnf-plugins-core",
        "ec2-hibinit-agent",
        "ec2-instance-connect",
        "ec2-utils",
        "ethtool",
        "file",
        "filesystem",
        "findutils",
        "gawk",
        "glibc",
        "glibc-langpack-en",
        "gnupg2-minimal",
        "grep",
        "gzip",
        "hostname",
        "initscripts",
        "iproute",
        "iputils",
        "kernel",
        "less",
        "libcurl-minimal",
        "logrotate",
        "lsof",
        "man-db",
        "nano",
        "openssh",
        "openssh-clients",
        "openssh-server",
        "openssl",
        "passwd",
        "policycoreutils",
        "procps-ng",
        "psmisc",
        "python3",
        "python3-libs",
        "rpm",
        "rsync",
        "screen",
        "sed",
        "shadow-utils",
        "sudo",
        "systemd",
        "tar",
        "time",
        "tzdata",
        "unzip",
        "update-motd",
        "util-linux",
        "vim-data",
        "vim-minimal",
        "wget",
        "which",
        "xz",
        "yum",
        "zip",
        "zlib",
    ]
)
#: programs of this machine that an image has from the start, where this machine has them
WITH_THE_IMAGE = ("lsof", "nano", "rsync", "screen", "wget", "file", "xz")
#: package → the programs that it brings; they are this machine's own, so it must have them
PROGRAMS = {
    "git": ("git",), "git-core": ("git",), "jq": ("jq",), "gcc": ("gcc", "cc"), "gcc-c++": ("g++", "c++"),
    "make": ("make",), "tree": ("tree",), "strace": ("strace",), "bind-utils": ("dig", "nslookup", "host"),
    "nmap-ncat": ("nc", "ncat"), "nc": ("nc",), "htop": ("htop",), "telnet": ("telnet",), "socat": ("socat",),
    "sqlite": ("sqlite3",), "patch": ("patch",), "net-tools": ("netstat", "ifconfig"), "vim": ("vim",),
    "vim-enhanced": ("vim",), "tmux": ("tmux",), "nodejs": ("node",), "nodejs18": ("node",), "nodejs20": ("node",),
    "nodejs22": ("node",), "nodejs24": ("node",), "tcpdump": ("tcpdump",), "traceroute": ("traceroute",),
    "stress-ng": ("stress-ng",), "mtr": ("mtr",), "iperf3": ("iperf3",), "parted": ("parted",), "xfsprogs": ("mkfs.xfs",),
    "cmake": ("cmake",), "perl": ("perl",), "ruby": ("ruby",), "golang": ("go", "gofmt"),
}  # fmt: skip
#: families of names in Amazon's repository, and why there is nothing of them here
LACKING = (
    (r"php(\d+\.\d+)?(-.+)?|mod_php|phpMyAdmin", "it has no PHP"),
    (r"mariadb.*|mysql.*", "it has no MariaDB or MySQL, neither the server nor its client"),
    (r"postgresql.*", "it has no PostgreSQL, neither the server nor its client"),
    (r"redis.*|valkey.*|memcached|mongodb.*", "it has no such store"),
    (r"docker.*|containerd|podman|runc|ecs-init|nerdctl|finch|cri-tools", "it runs no containers"),
    (r"java-.+|amazon-corretto.*|maven.*|ant|gradle|tomcat.*", "it has no Java"),
    (r"haproxy|squid|varnish|lighttpd|caddy|envoy|bind|dnsmasq|vsftpd|postfix|dovecot|sendmail", "it has no such server"),
    (r"mod_(ssl|wsgi|perl|security|auth.*|fcgid|proxy_html|session|lua|http2)|httpd-devel", "its httpd has no such module"),
    (r"amazon-(cloudwatch-agent|efs-utils|ecr-credential-helper|kinesis.*)|aws-kinesis-agent|awslogs|collectd|fluent.*",
     "there is no service behind it"),
    (r"epel-release|yum-utils|dnf-utils|yum-plugin-.+|dnf-automatic", "there is no repository but Amazon's"),
    (r"(golang|rust|cargo|dotnet|mono|erlang|elixir|ruby|perl|R|lua|scala|swift|llvm|clang)[-\d.].*|rust|cargo|clang|llvm|R|lua",
     "it has none of that language"),
    (r".+-(devel|static|debuginfo|doc|headers|libs)|kernel-.+|glibc-.+|lib.+|nodejs.*-npm|npm", "it has no such libraries"),
    (r"nfs-utils|cifs-utils|e2fsprogs|lvm2|mdadm|fuse.*|s3fs.*|mount-s3|btrfs-progs|quota", "it has no disks but the root's"),
    (r"(nodejs|python3?|perl|ruby(gem)?s?)-.+", "it has no libraries as packages; pip has some"),
    (r"selinux-.+|firewalld|iptables.*|nftables|fail2ban|aide|audit.*|clamav.*|openscap.*|rng-tools|haveged", "its kernel is this machine's"),
    (r"stress|sysstat|iotop|nmap|wireshark.*|siege|httpd-tools|dstat|ncdu|expect|zsh|fish|emacs.*|ImageMagick.*|ffmpeg.*|ansible.*|terraform|"
     r"openvpn|wireguard-tools|tigervnc.*|xrdp|at|mailx|s-nail|bc|dos2unix|pv|lynx|w3m|ShellCheck|ruby|tcl|tk|ghostscript|graphviz|"
     r"nss-tools|krb5-.+|sssd.*|realmd|adcli|samba.*|ntp|rsyslog|libreswan|strongswan|keepalived|corosync|pacemaker|supervisor|monit|"
     r"code-?deploy-agent|inotify-tools|p7zip|unrar|python2.*|cronie-.+|words|whois|ipset|conntrack-tools|nvme-cli|sshpass|subversion|mercurial",
     "nothing of it is on this machine"),
)  # fmt: skip
#: topics of amazon-linux-extras (Amazon Linux 2) → the packages that `install` brings
EXTRAS = {
    "nginx1": ("nginx",), "docker": ("docker",), "php7.4": ("php",), "php8.0": ("php",), "php8.1": ("php",), "php8.2": ("php",),
    "php7.2": ("php",), "lamp-mariadb10.2-php7.2": ("mariadb", "php"), "mariadb10.5": ("mariadb",), "epel": ("epel-release",),
    "postgresql14": ("postgresql",), "redis6": ("redis",), "java-openjdk11": ("java-11-openjdk",), "haproxy2": ("haproxy",),
    "python3.8": ("python3.8",), "golang1.19": ("golang",), "ansible2": ("ansible",), "vim": ("vim",), "squid4": ("squid",),
    "tomcat9": ("tomcat",), "corretto8": ("java-1.8.0-amazon-corretto",), "memcached1.5": ("memcached",), "kernel-5.15": ("kernel-5.15",),
}  # fmt: skip
_LACKING = tuple((re.compile(pattern, re.IGNORECASE), why) for pattern, why in LACKING)


def why_lacking(name: str) -> str:
    """Why the local cloud lacks a package that Amazon's repository has; "" for a name that it does not know."""
    return next((why for pattern, why in _LACKING if pattern.fullmatch(name)), "")


def hidden_programs() -> frozenset[str]:
    """Programs that an image lacks until they are installed, whatever this machine has."""
    return frozenset(program for programs in PROGRAMS.values() for program in programs)


#: programs of packages that the local cloud lacks: this machine's own are not the instance's
ABSENT = frozenset(
    [
        "java",
        "javac",
        "mvn",
        "gradle",
        "php",
        "mysql",
        "mysqld",
        "mariadb",
        "psql",
        "docker",
        "podman",
        "npm",
        "npx",
        "haproxy",
        "redis-server",
        "redis-cli",
        "httpd",
        "apachectl",
        "ab",
        "crond",
        "crontab",
        "cargo",
        "rustc",
        "dotnet",
    ]
)
