"""The sample data: each example can be fetched."""

import asyncio
import wave
from pathlib import Path

import pytest

from async_downloads.site.samples import Sample, make_samples, samples
from served_site.conftest import SiteOf
from served_site.site import Site


@pytest.fixture
async def site(site_of: SiteOf, tmp_path: Path) -> Site:
    """The site of the samples."""
    return await site_of(await asyncio.to_thread(make_samples, tmp_path))


async def test_each_sample_can_be_fetched(site: Site) -> None:
    statuses = {sample.path: (await site.ask(sample.path, "HEAD")).status_code for sample in samples()}
    assert statuses == dict.fromkeys(statuses, 200)


@pytest.mark.parametrize("sample", samples(), ids=lambda sample: sample.path)
def test_each_sample_says_what_it_is(sample: Sample) -> None:
    assert sample.path.startswith("/")
    assert sample.description
    assert "'" not in sample.description


def test_the_tone_is_a_minute_of_sound(tmp_path: Path) -> None:
    make_samples(tmp_path)
    with wave.open(str(tmp_path / "media" / "tone.wav")) as tone:
        assert tone.getnframes() / tone.getframerate() == 60
        assert len(set(tone.readframes(22_050))) > 100
