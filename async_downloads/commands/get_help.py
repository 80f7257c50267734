"""The help of `get`: its options in sections, ordered by use."""

from typing import Final

import click

__all__ = ["SectionedCommand"]


_MORE: Final = {
    "Files and folders": "include exclude keep_directories jobs overwrite timestamping dated continues restart",
    "Checks and sources": "checksums strict mirror metalink",
    "Failures and limits": "retries patience timeout response_timeout stall_timeout speed_floor",
    "Network": """user_agent use_netrc cookie_file proxy use_proxies verify ca_file cert_file key_file ip_version
        interface insecure_redirects""",
}
_SECTION_OF: Final = {name: title for title, names in _MORE.items() for name in names.split()}


class SectionedCommand(click.Command):
    """A command whose most common options come first in its help; the others follow in sections."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options of each section."""
        sections: dict[str, list[tuple[str, str]]] = {title: [] for title in ("Options", *_MORE)}
        for param in self.get_params(ctx):
            record = param.get_help_record(ctx) if isinstance(param, click.Option) else None
            if record is not None:
                sections[_SECTION_OF.get(param.name or "", "Options")].append(record)
        width = max(len(names) for records in sections.values() for names, _ in records)
        for title, records in sections.items():
            with formatter.section(title):
                formatter.write_dl([(f"{names:<{width}}", text) for names, text in records])
