"""Whom to believe when a connection is encrypted."""

import ssl
from dataclasses import dataclass
from pathlib import Path

from monitorx.alerting.document import Problems, Section


@dataclass(frozen=True, slots=True)
class TLS:
    """Certificates are always checked: against the system's authorities, or those in *ca_file*."""

    ca_file: Path | None = None

    def context(self) -> ssl.SSLContext:
        """
        What a client needs to connect.

        Raises:
            OSError: The file cannot be read or holds no certificate.
        """
        return ssl.create_default_context(cafile=self.ca_file)


def read_tls(parent: Section, problems: Problems) -> TLS:
    """The `tls_config` of a channel."""
    node = parent.entry("tls_config")
    if node is None:
        return TLS()
    section = Section(node, problems, {"ca_file"})
    if "ca_file" not in section:
        return TLS()
    tls = TLS(Path(node.file).parent / section.text("ca_file"))
    try:
        tls.context()
    except OSError as error:
        problems.add(section.place("ca_file"), f"{tls.ca_file} cannot be used: {error.strerror or error}")
    except ValueError:
        words = f"{section.text('ca_file')!r} is not the path of a file: no path holds a NUL character"
        problems.add(section.place("ca_file"), words)
    return tls
