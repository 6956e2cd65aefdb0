"""Which source and which schema a configuration asks for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twisted.logger import Logger

from exfront.config.settings import SchemaName, Scheme
from exfront.directory.ldif import LdifSource
from exfront.directory.schemas.custom import CustomSchema
from exfront.directory.schemas.exchange import ExchangeSchema
from exfront.directory.schemas.laser import LaserSchema
from exfront.errors import DirectoryError

if TYPE_CHECKING:
    from exfront.config.settings import DirectorySettings
    from exfront.directory.interface import Source
    from exfront.directory.schemas.base import Schema


def make_source(settings: DirectorySettings, reactor: Any) -> Source:
    """The source that `[directory] url` names. Raises DirectoryError, with words for the administrator, when it cannot be used.

    An embedded file cannot be read or is not the only directory; certificates cannot be read; a service account has no password.
    """
    embedded = [url for url in settings.url if url.scheme is Scheme.LDIF]
    if embedded:
        path = embedded[0].path
        if len(settings.url) > 1 or path is None:
            raise DirectoryError("an embedded directory (ldif:FILE) stands alone")
        return LdifSource(path, reactor)
    # Imported here, because ldaptor's client installs a reactor when it is imported; a check of a configuration needs none.
    from exfront.directory.network import NetworkSource

    try:
        return NetworkSource(
            reactor,
            settings.url,
            bind_dn=settings.bind_dn,
            bind_password=settings.bind_password.value if settings.bind_password else "",
            start_tls=settings.start_tls,
            ca_file=settings.ca_file,
            timeout=settings.timeout,
            log=Logger(namespace="exfront.directory"),
        )
    except (OSError, ValueError) as error:
        raise DirectoryError(str(error)) from None


def make_schema(settings: DirectorySettings) -> Schema:
    """The schema that `[directory] schema` names. Raises ValueError when `account_filter` is not an RFC 4515 filter."""
    match settings.schema:
        case SchemaName.EXCHANGE:
            return ExchangeSchema(settings)
        case SchemaName.LASER:
            return LaserSchema(settings)
        case SchemaName.CUSTOM:
            return CustomSchema(settings)
