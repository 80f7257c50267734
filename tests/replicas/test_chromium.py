"""A download in Chromium goes on with the other server if the one that sends it is killed."""

from pathlib import Path

import pytest
from tools.chromium import chromium

from replicas.conftest import Site
from replicas.fronts import fronts
from replicas.replica import CONTENT, NAME, wait_until


@pytest.mark.parametrize("site", ["digest"], indirect=True)
def test_chromium_goes_on_with_the_other_server_if_one_is_killed(site: Site, tmp_path: Path) -> None:
    first, second = site.replicas
    downloads = tmp_path / "downloads"
    with fronts(tmp_path / "fronts", site.replicas) as urls, chromium(tmp_path) as browser:
        second.kill()
        try:
            browser.get(f"{urls['slow']}/")
            browser.execute_script(f"location.href = '/{NAME}?download'")
            wait_until(lambda: any(each.stat().st_size > 1 << 20 for each in downloads.glob("*.crdownload")))
        finally:
            second.start()
        first.kill()
        try:
            saved = downloads / NAME
            wait_until(lambda: saved.exists() and saved.stat().st_size)  # Chromium makes an empty file first
        finally:
            first.start()
    assert saved.read_bytes() == CONTENT
