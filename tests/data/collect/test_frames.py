from __future__ import annotations

import builtins
import shutil
import subprocess

import numpy as np
import pytest
from PIL import Image

from nbdeploy.data.collect.collection import Collection
from nbdeploy.data.collect.frames import frames
from nbdeploy.errors import DataError, MissingExtra, NbdeployWarning
from tests.data.collect.conftest import scene

av = pytest.importorskip("av", reason="av is not installed (extra: video)")


def film(path, pictures, *, rate=10, codec="mpeg4"):
    """Write RGB pictures as a video; `pictures` are Pillow images of one size."""
    with av.open(str(path), "w") as out:
        stream = out.add_stream(codec, rate=rate)
        stream.width, stream.height = pictures[0].size
        stream.pix_fmt = "yuv420p"
        stream.bit_rate = 4_000_000
        for picture in pictures:
            for packet in stream.encode(av.VideoFrame.from_image(picture)):
                out.mux(packet)
        for packet in stream.encode():
            out.mux(packet)
    return path


@pytest.fixture
def clip(tmp_path):
    """Two seconds: three scenes, of which each stands still."""
    still = [scene(seed) for seed in (1, 2, 3)]
    return film(tmp_path / "clip.mp4", [still[0]] * 7 + [still[1]] * 7 + [still[2]] * 6)


def test_frames_that_are_nearly_the_one_before_are_left_out(clip):
    assert [0.0, 0.7, 1.4] == [round(frame.second, 2) for frame in frames(clip, every=0.1)]
    assert [0.0, 0.7, 1.4] == [round(frame.second, 2) for frame in frames(clip, every=0.5)]
    assert 20 == len(list(frames(clip, every=0, different=0)))


def test_frames_look_as_they_were_filmed(clip):
    first = np.asarray(next(frames(clip)).image).astype(int)
    assert np.abs(first - np.asarray(scene(1)).astype(int)).mean() < 8


def test_a_video_of_a_telephone_is_turned_upright(tmp_path):
    ffmpeg = shutil.which("ffmpeg")
    if not ffmpeg:
        pytest.skip("there is no ffmpeg here")
    wide = scene(4).crop((0, 0, 96, 48))
    plain = film(tmp_path / "plain.mp4", [wide] * 5)
    turned = tmp_path / "turned.mp4"
    command = [ffmpeg, "-loglevel", "error", "-i", plain, "-c", "copy", "-metadata:s:v", "rotate=90", turned]
    subprocess.run(command, check=True)
    image = next(frames(turned)).image
    if image.size == wide.size:
        pytest.skip("this ffmpeg no longer writes the turn")
    assert (48, 96) == image.size
    seen = tmp_path / "seen.png"  # as ffmpeg itself turns it
    subprocess.run([ffmpeg, "-loglevel", "error", "-i", turned, "-frames:v", "1", seen], check=True)
    upright = np.asarray(Image.open(seen).convert("RGB")).astype(int)
    assert np.abs(np.asarray(image).astype(int) - upright).mean() < 3


def test_a_file_that_is_no_video_says_so(tmp_path):
    (tmp_path / "list.mp4").write_text("#EXTM3U\n#EXTINF:1,\n/etc/passwd\n")
    with pytest.raises(DataError, match="not a video"):
        next(frames(tmp_path / "list.mp4"))
    with pytest.raises(DataError, match="no video"):
        next(frames(tmp_path / "gone.mp4"))


def test_sound_alone_says_so(tmp_path):
    with av.open(str(tmp_path / "sound.mp4"), "w") as out:
        stream = out.add_stream("aac", rate=44100, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        frame.sample_rate = 44100
        for one in (frame, None):
            for packet in stream.encode(one):
                out.mux(packet)
    with pytest.raises(DataError, match="only sound"):
        next(frames(tmp_path / "sound.mp4"))


def test_a_video_cut_at_its_beginning_is_broken(clip, tmp_path):
    (tmp_path / "cut.mp4").write_bytes(clip.read_bytes()[:400])
    with pytest.raises(DataError, match="broken|not a video"):
        list(frames(tmp_path / "cut.mp4"))


def test_a_video_that_breaks_off_gives_what_can_be_read(tmp_path):
    whole = film(tmp_path / "whole.ts", [scene(seed) for seed in range(20)], codec="mpeg2video")
    data = bytearray(whole.read_bytes())
    (tmp_path / "broken.ts").write_bytes(data[: len(data) // 2])
    found = list(frames(tmp_path / "broken.ts", every=0.1))
    assert 3 < len(found) < 20


def test_without_pyav_the_extra_is_named(clip, monkeypatch):
    real = builtins.__import__

    def no_av(name, *args, **keywords):
        if name == "av":
            raise ImportError(name)
        return real(name, *args, **keywords)

    monkeypatch.setattr(builtins, "__import__", no_av)
    with pytest.raises(MissingExtra, match=r"pip install .nbdeploy\[video\]"):
        next(frames(clip))


def test_a_video_becomes_one_session(clip, tmp_path):
    collection = Collection(tmp_path / "pets")
    items = collection.add(clip, "cat", every=0.1)
    assert ["clip.mp4, at 0.00 s", "clip.mp4, at 0.70 s", "clip.mp4, at 1.40 s"] == [str(item.source) for item in items]
    assert 1 == len({item.group for item in items})
    assert ["cat/clip-0000-00s.jpg", "cat/clip-0000-70s.jpg", "cat/clip-0001-40s.jpg"] == [item.file for item in items]
    assert 1 == collection.counts["cat"].sessions


def test_warnings_about_a_broken_video_name_it(clip):
    from nbdeploy.data.collect import frames as module

    class Stream:
        average_rate, width, height = 10, 8, 8

    class Opened:
        class streams:  # noqa: N801 - PyAV calls it so
            video = (Stream(),)

        def decode(self, _):
            yield type("F", (), {"time": 0.0})()
            raise av.error.InvalidDataError(1, "garbled")

    with pytest.warns(NbdeployWarning, match="clip.mp4 breaks off after 0.0 s .garbled."):
        assert 1 == len(list(module._decoded(Opened(), clip)))
