"""TLS to the database, on real servers, and what is read from MySQL's."""

import contextlib
import datetime
import getpass
import json
import os
import re
import shutil
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import sqlalchemy as sql
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from sqlalchemy.engine import URL

from lambdas.extract_orders import tls
from lambdas.extract_orders.database import connect, source_url
from lambdas.extract_orders.request import Market
from lambdas.extract_orders.source import open_source
from lambdas.shared import clients
from lambdas.shared.errors import BadEvent, SourceUnreachable
from local import source
from local.ports import free_port
from tests.sources import PASSWORD, do

pytestmark = pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")  # of failed handshakes

RDS = "shop.cd3f.eu-west-1.rds.amazonaws.com"
RDS_HOSTS = (
    RDS,
    "shop.cluster-ro-cd3f.eu-west-1.rds.amazonaws.com",
    "shop.cd3f.rds.cn-north-1.amazonaws.com.cn",
    "SHOP.CD3F.US-GOV-WEST-1.RDS.AMAZONAWS.COM",
)
VERIFYING = ("verify-ca", "verify-full")
YEAR = datetime.timedelta(365)


@dataclass(frozen=True)
class Authority:
    """An authority with a certificate and key of a server that it has signed, all as PEM."""

    ca: str
    certificate: str
    key: str


def authority(*names: str) -> Authority:
    """A new authority whose server has these names."""
    ca, server = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    sans = x509.SubjectAlternativeName([x509.DNSName(name) for name in names])
    secret = server.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return Authority(
        _signed(ca, ca, "CA", x509.BasicConstraints(ca=True, path_length=None)),
        _signed(ca, server, "server", sans),
        secret.decode(),
    )


def _signed(
    ca: ec.EllipticCurvePrivateKey,
    key: ec.EllipticCurvePrivateKey,
    name: str,
    extension: x509.ExtensionType,
) -> str:
    """A certificate of the key, signed by the authority's."""
    subject, issuer = (
        x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, each)]) for each in (name, "CA")
    )
    now = datetime.datetime.now(datetime.UTC)
    builder = x509.CertificateBuilder(
        issuer, subject, key.public_key(), x509.random_serial_number(), now - YEAR, now + YEAR
    )
    certificate = builder.add_extension(extension, critical=True).sign(ca, hashes.SHA256())
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


@pytest.fixture(scope="module")
def ours() -> Authority:
    return authority("localhost", RDS)


@pytest.fixture(scope="module")
def postgres(ours: Authority) -> Iterator[URL]:
    """A server with a certificate for `localhost`; the URL is without parameters."""
    with contextlib.ExitStack() as stack:
        try:
            server = stack.enter_context(source.postgres(PASSWORD))
        except OSError as reason:
            pytest.skip(str(reason))
        url = sql.make_url(server.url)
        with connect(url) as connection:
            shown = connection.exec_driver_sql("SHOW data_directory").scalar_one()
        folder = Path(str(shown))
        owner = folder.stat()
        for name, text in (("server.crt", ours.certificate), ("server.key", ours.key)):
            (folder / name).write_text(text)
            (folder / name).chmod(0o600)
            os.chown(folder / name, owner.st_uid, owner.st_gid)
        do(server.url, "ALTER SYSTEM SET ssl = on", "SELECT pg_reload_conf()",
           'CREATE TABLE orders ("CustomerID" text, "InvoiceDate" date)')  # fmt: skip
        yield url.set(host="localhost", query={})


@contextlib.contextmanager
def mariadb(folder: Path, *options: str) -> Iterator[URL]:
    """A server without certificates but for its options; skips where it is not installed."""
    programs = [shutil.which(name) for name in ("mariadb-install-db", "mariadbd")]
    if None in programs:
        pytest.skip("MariaDB's server is not installed")
    install, server = map(str, programs)
    common = ["--no-defaults", f"--datadir={folder / 'data'}", f"--user={getpass.getuser()}"]
    subprocess.run([install, *common, "--skip-test-db"], check=True, capture_output=True)
    start = folder / "start.sql"
    statements = (  # a line each
        "CREATE DATABASE shop;",
        "CREATE TABLE shop.orders (CustomerID text, InvoiceDate date);",
        "CREATE FUNCTION shop.wipe() RETURNS int BEGIN DELETE FROM shop.orders; RETURN 1; END;",
        f"CREATE USER shop IDENTIFIED BY '{PASSWORD}';",
        "GRANT ALL ON shop.* TO shop;",
    )
    start.write_text("\n".join(statements))
    port = free_port()
    process = subprocess.Popen(
        [server, *common, f"--init-file={start}", f"--port={port}", "--bind-address=127.0.0.1",
         f"--socket={folder / 'socket'}", f"--pid-file={folder / 'pid'}", "--skip-name-resolve",
         *options],
        stdout=subprocess.DEVNULL, stderr=(folder / "log").open("wb"),
    )  # fmt: skip
    try:
        end = time.monotonic() + source.START_SECONDS
        while process.poll() is None and time.monotonic() < end:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
                break
            time.sleep(0.05)
        else:
            raise OSError((folder / "log").read_text(errors="replace")[-500:])
        yield URL.create("mysql+pymysql", "shop", PASSWORD, "localhost", port, "shop")
    finally:
        process.kill()
        process.wait()


@pytest.fixture(scope="module")
def mysql(ours: Authority, tmp_path_factory: pytest.TempPathFactory) -> Iterator[URL]:
    """A server with a certificate for `localhost`; the URL is without parameters."""
    folder = tmp_path_factory.mktemp("mariadb")
    for name, text in (("crt", ours.certificate), ("key", ours.key)):
        (folder / name).write_text(text)
    certificate = (f"--ssl-cert={folder / 'crt'}", f"--ssl-key={folder / 'key'}")
    with mariadb(folder, *certificate) as url:
        yield url


@pytest.fixture(params=["postgres", "mysql"])
def server(request: pytest.FixtureRequest) -> URL:
    url: URL = request.getfixturevalue(request.param)
    return url


def with_tls(url: URL, mode: str | None = None, ca: str | None = None) -> URL:
    given = {"sslmode": mode, "sslrootcert": ca}
    return url.update_query_dict({name: value for name, value in given.items() if value})


def encrypted(url: URL) -> bool:
    """Whether the connection is, as the server says."""
    with connect(url) as connection:
        if url.get_backend_name() == "mysql":
            query = "SHOW STATUS LIKE 'Ssl_cipher'"
            return bool(connection.exec_driver_sql(query).one()[1])
        query = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()"
        return bool(connection.exec_driver_sql(query).scalar_one())


def refused(url: URL) -> str:
    with pytest.raises(SourceUnreachable) as error, connect(url):
        pass
    assert PASSWORD not in str(error.value)
    return str(error.value)


@pytest.mark.parametrize("mode", [None, *VERIFYING])
def test_a_server_is_verified_by_the_authority_that_is_named(
    server: URL, ours: Authority, mode: str | None, tmp_path: Path
) -> None:
    file = tmp_path / "ca.pem"
    file.write_text(ours.ca)
    for ca in (ours.ca, str(file)):
        assert encrypted(with_tls(server, mode, ca))


def test_an_unknown_authority_is_refused_and_the_remedy_named(server: URL) -> None:
    other = authority("localhost").ca
    for url in (server, with_tls(server, "verify-ca"), with_tls(server, ca=other),
                with_tls(server, "require", other)):  # fmt: skip
        text = refused(url)
        assert "certificate verify failed" in text
        assert "Put the certificate of the authority that signed the server's into the" in text


def test_a_certificate_of_another_name_is_refused_and_the_remedy_named(
    server: URL, ours: Authority
) -> None:
    url = server.set(host="127.0.0.1")
    text = refused(with_tls(url, ca=ours.ca))
    assert "Connect by a name that its certificate has, or set sslmode=verify-ca" in text
    for mode in ("verify-ca", "require"):
        assert encrypted(with_tls(url, mode, ours.ca))


def test_the_drivers_default_host_is_verified_too(server: URL, ours: Authority) -> None:
    url = URL.create(
        server.drivername, "shop", PASSWORD, port=server.port, database=server.database
    )
    assert encrypted(with_tls(url, ca=ours.ca))
    assert "certificate verify failed" in refused(url)


def test_require_encrypts_and_proves_nothing(server: URL) -> None:
    assert encrypted(with_tls(server, "require"))


def test_plain_text_is_asked_for_by_name_and_logged(
    server: URL, capsys: pytest.CaptureFixture[str]
) -> None:
    assert not encrypted(with_tls(server, "disable"))
    (line,) = capsys.readouterr().out.splitlines()
    assert json.loads(line)["level"] == "WARNING"
    assert "is read as plain text, as sslmode=disable asks for" in line
    assert PASSWORD not in line


def test_a_server_without_tls_is_refused_unless_plain_text_is_asked_for(
    postgres_url: str, tmp_path: Path
) -> None:
    with mariadb(tmp_path) as mysql:
        for url in (sql.make_url(postgres_url).set(query={}), mysql):
            for mode in (None, "require", *VERIFYING):
                assert "Set up TLS on the server, or set sslmode=disable" in refused(
                    with_tls(url, mode)
                )
            assert not encrypted(with_tls(url, "disable"))


def test_modes_that_may_fall_back_to_plain_text_are_bad_events(server: URL) -> None:
    for mode in ("prefer", "allow", "always"):
        with pytest.raises(BadEvent, match=f"sslmode={mode} .*disable, require"):
            encrypted(with_tls(server, mode))


def test_certificates_that_cannot_be_read_are_bad_events_and_not_shown(server: URL) -> None:
    with pytest.raises(BadEvent, match=r"sslrootcert=/no\.pem cannot be read"):
        encrypted(with_tls(server, ca="/no.pem"))
    with pytest.raises(BadEvent, match="ca: the certificates cannot be read") as error:
        encrypted(with_tls(server, ca="-----BEGIN CERTIFICATE-----\nhunter2\n"))
    assert "hunter2" not in str(error.value)


def test_the_secret_says_what_is_trusted(server: URL, ours: Authority, aws: None) -> None:
    parts = {"engine": server.get_backend_name(), "username": server.username,
             "password": server.password, "host": server.host, "port": server.port,
             "dbname": server.database, "ca": ours.ca}  # fmt: skip
    clients.secrets().create_secret(Name="parts", SecretString=json.dumps(parts))
    assert encrypted(source_url(clients.secrets(), "parts"))
    managed = {name: parts[name] for name in ("username", "password")}
    clients.secrets().create_secret(Name="managed", SecretString=json.dumps(managed))
    place = f"{parts['engine']}://localhost:{server.port}/{server.database}?sslmode=require"
    assert encrypted(source_url(clients.secrets(), "managed", place))


def test_a_server_of_rds_is_verified_by_its_own_authorities(
    server: URL, ours: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lookup = socket.getaddrinfo
    monkeypatch.setattr(
        socket, "getaddrinfo", lambda _, *rest, **more: lookup("127.0.0.1", *rest, **more)
    )
    url = server.set(host=RDS)
    assert "from https://truststore.pki.rds.amazonaws.com" in refused(url)
    roots = tmp_path / "rds.pem"
    roots.write_text(ours.ca)
    monkeypatch.setattr(tls, "RDS_ROOTS", roots)
    assert encrypted(url)
    assert "certificate verify failed" in refused(server)  # they are no authorities for others


@pytest.mark.parametrize("host", RDS_HOSTS)
def test_hosts_of_rds_are_known_in_every_partition(host: str) -> None:
    def trusted(host: str) -> set[str]:
        context = tls.context(URL.create("postgresql+pg8000", host=host))
        assert context is not None
        assert context.check_hostname
        assert context.verify_mode is ssl.CERT_REQUIRED
        return {str(each["subject"]) for each in context.get_ca_certs()}

    assert "Amazon RDS eu-west-1 Root CA RSA2048 G1" in "".join(trusted(host))
    for other in ("db.example.com", "rds.amazonaws.com.example.com", f"{host}.example.com"):
        assert "Amazon RDS" not in "".join(trusted(other))


def test_the_authorities_of_rds_are_roots_of_aws_that_last(root: Path) -> None:
    file = root / "lambdas/extract_orders/rds.pem"
    held = x509.load_pem_x509_certificates(file.read_bytes())
    later = datetime.datetime(2060, 1, 1, tzinfo=datetime.UTC)
    regions: dict[str, int] = {}
    for each in held:
        each.verify_directly_issued_by(each)
        assert each.not_valid_after_utc > later
        (name,) = each.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
        found = re.fullmatch(r"Amazon RDS (\S+) Root CA (RSA2048|RSA4096|ECC384) G1", name.value)
        assert found, name.value
        regions[found[1]] = regions.get(found[1], 0) + 1
    assert {"us-east-1", "eu-west-1", "ap-southeast-2", "sa-east-1"} <= set(regions)
    assert set(regions.values()) == {3}


def test_nothing_is_written_to_a_database_of_mysql(mysql: URL, ours: Authority) -> None:
    url = with_tls(mysql, ca=ours.ca)
    with connect(url) as connection:
        open_source(connection, Market())
    for query, reason in (
        ("SELECT *, wipe() FROM orders", "READ ONLY transaction"),
        ("SELECT 1) AS x; DELETE FROM orders -- ", "error in your SQL syntax"),
    ):
        with pytest.raises(BadEvent, match=reason), connect(url) as connection:
            open_source(connection, Market(query=query))
    with pytest.raises(BadEvent, match="what is read must not write"), connect(url) as connection:
        connection.exec_driver_sql("INSERT INTO orders VALUES ('ana', '2024-01-01')")
