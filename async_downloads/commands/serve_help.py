"""The sections in the help of the commands that run a server."""

from typing import Final

from .help import Sections

__all__ = ["COMMON", "EPILOG", "MORE"]


COMMON: Final[Sections] = {
    "Options": """port bind lan qr hidden follow_symlinks index workers access_log config help_all help""",
    "Access": "auth auth_file auth_path",
    "TLS": "certfile keyfile http2",
}
MORE: Final[Sections] = {
    "Files and pages": "attachment precompressed etag cache_control cors header archive_limit archive_entries",
    "Database and buckets": "database file_ids list_files object_connections redirect",
    "Limits": "limit_rate limit_rate_client limit_rate_total max_connections max_connections_per_client",
    "Times": "header_timeout keep_alive stall_timeout drain_delay drain_timeout",
    "Proxies": "trusted_proxies proxy_protocol offload",
    "Signed links": "secret",
    "Process": "loop unix_mode metrics_bind",
    "Routes of the Flask tutorials": """download_file download_images client_images client_csv client_pdf
        client_reports pdf_examples""",
}
EPILOG: Final = "Each option is also a variable and a key of the TOML file: ASYNC_DOWNLOADS_LAN=yes, lan = true."
