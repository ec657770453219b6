"""The certificate authority of one local cloud: it vouches for AWS's names, inside this cloud alone.

What belongs here: its key (in memory only), the certificates it makes, and the files by which programs
inside come to trust it. What does not: which names there are (names.py).
"""

import datetime
import hashlib
import os
import ssl
import sys
import sysconfig
import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from labkit.aws.network import names
from labkit.sandbox.spec import Bind

_NAME = "local cloud root ca"
_DAYS = 397
_BUNDLE = "ca-certificates.crt"
#: folders that hold nothing but trusted certificates; what lies in them differs from system to system
_FOLDERS = ("/etc/ssl/certs", "/etc/pki/tls/certs")
_SAME_BUNDLE = ("ca-bundle.crt", "cert.pem", "ca-bundle.trust.crt")
#: single files with all certificates, shown ours where this machine has them
_FILES = ("/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem", "/etc/ssl/cert.pem", "/etc/ssl/ca-bundle.pem")
_PACKAGES = ("certifi/cacert.pem", "botocore/cacert.pem", "pip/_vendor/certifi/cacert.pem")


class Authority:
    """Made anew for each cloud. Safe to use from many threads."""

    def __init__(self, folder: Path) -> None:
        """`folder` is made, and holds the public part: what programs inside trust."""
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._leaf_key = ec.generate_private_key(ec.SECP256R1())
        self._certificate = self._make_root()
        self._contexts: dict[tuple[str, ...], ssl.SSLContext] = {}
        self._lock = threading.Lock()
        self._folder = folder
        self._write()

    def server_context(self) -> ssl.SSLContext:
        """TLS for a listener that has all of AWS's names: the certificate is that of the name asked for."""
        made = self._context(("*" + names.DOMAIN,))
        made.sni_callback = self._choose
        return made

    def binds(self) -> tuple[Bind, ...]:
        """What makes programs inside trust this authority, and no other: curl, OpenSSL, boto3, requests."""
        folders = [Bind(str(self._folder), path) for path in _FOLDERS]
        packages = [os.path.join(sysconfig.get_path("purelib"), name) for name in _PACKAGES]
        own = str(ssl.get_default_verify_paths().openssl_cafile)
        inside = tuple(f"{folder}/" for folder in _FOLDERS)
        files = [path for path in (*_FILES, *packages, own) if os.path.isfile(path)]
        shown = [path for path in dict.fromkeys(files) if not os.path.realpath(path).startswith(inside)]
        return (*folders, *(Bind(str(self._folder / _BUNDLE), path) for path in shown))

    def _choose(self, connection: ssl.SSLObject, name: str | None, _: ssl.SSLContext) -> None:
        endpoint = names.parse(name or "")
        if endpoint is not None:
            connection.context = self._context(endpoint.names)

    def _context(self, hosts: tuple[str, ...]) -> ssl.SSLContext:
        with self._lock:
            if hosts not in self._contexts:
                self._contexts[hosts] = self._new_context(hosts)
            return self._contexts[hosts]

    def _new_context(self, hosts: Sequence[str]) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.set_alpn_protocols(["http/1.1"])
        certificate = self._sign(hosts).public_bytes(serialization.Encoding.PEM)
        key = self._leaf_key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        _load(context, certificate + key)
        return context

    def _sign(self, hosts: Sequence[str]) -> x509.Certificate:
        builder = self._builder(hosts[0], self._leaf_key.public_key())
        alternatives = x509.SubjectAlternativeName([x509.DNSName(host) for host in hosts])
        usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])
        issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
        for extension, critical in ((alternatives, False), (usage, False), (issuer, False)):
            builder = builder.add_extension(extension, critical)
        return builder.sign(self._key, hashes.SHA256())

    def _make_root(self) -> x509.Certificate:
        public = self._key.public_key()
        usage = x509.KeyUsage(
            digital_signature=True, key_cert_sign=True, crl_sign=True, content_commitment=False,
            key_encipherment=False, data_encipherment=False, key_agreement=False, encipher_only=False,
            decipher_only=False,
        )  # fmt: skip
        builder = self._builder(_NAME, public)
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        builder = builder.add_extension(usage, critical=True)
        subject = x509.SubjectKeyIdentifier.from_public_key(public)
        return builder.add_extension(subject, critical=False).sign(self._key, hashes.SHA256())

    def _builder(self, subject: str, public: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
        now = datetime.datetime.now(datetime.UTC)
        builder = x509.CertificateBuilder().subject_name(_name(subject)).issuer_name(_name(_NAME))
        builder = builder.public_key(public).serial_number(x509.random_serial_number())
        validity = (now - datetime.timedelta(days=1), now + datetime.timedelta(days=_DAYS))
        return builder.not_valid_before(validity[0]).not_valid_after(validity[1])

    def _write(self) -> None:
        self._folder.mkdir(parents=True)
        pem = self._certificate.public_bytes(serialization.Encoding.PEM)
        for name in (_BUNDLE, *_SAME_BUNDLE, f"{_subject_hash(_NAME)}.0"):
            (self._folder / name).write_bytes(pem)
            (self._folder / name).chmod(0o644)
        self._folder.chmod(0o755)


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text[:64])])


def _subject_hash(common_name: str) -> str:
    """OpenSSL's name for a certificate in a folder: of the subject's lower case, as UTF8String."""
    text = common_name.lower().encode()
    oid = bytes((0x06, 3, 0x55, 0x04, 0x03))
    pair = oid + bytes((0x0C, len(text))) + text
    inner = bytes((0x30, len(pair))) + pair
    digest = hashlib.sha1(bytes((0x31, len(inner))) + inner, usedforsecurity=False).digest()
    return f"{int.from_bytes(digest[:4], 'little'):08x}"


def _load(context: ssl.SSLContext, pem: bytes) -> None:
    """Load a certificate with its key, which only files can hold: one in memory, or one that is gone at once."""
    if sys.platform != "linux" or not os.path.isdir("/proc/self/fd"):
        with tempfile.NamedTemporaryFile() as file:  # for its owner alone
            file.write(pem)
            file.flush()
            return context.load_cert_chain(file.name)
    descriptor = os.memfd_create("certificate")
    try:
        os.write(descriptor, pem)
        context.load_cert_chain(f"/proc/self/fd/{descriptor}")
    finally:
        os.close(descriptor)
