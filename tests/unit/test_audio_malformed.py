from __future__ import annotations

import os
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import av
import pytest

from essence.audio import decode
from essence.errors import InvalidAudio, InvalidInput, NotFound
from tests.audio_samples import KINDS, Kind, heard, tone, tone_file, video_only, without_samples, write_file

OPUS = Kind("ogg", "libopus", 48_000)
WAV = Kind("wav", "pcm_s16le", 16_000)

NOT_AUDIO = {
    "text": b"Dear June, this is a letter.\n" * 100,
    "html": b"<!DOCTYPE html><html><body>404</body></html>",
    "zeros": bytes(20_000),
    "jpeg": b"\xff\xd8\xff\xe0\x00\x10JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x00\x00" + bytes(3000) + b"\xff\xd9",
    "png": b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x00\x01\x00\x00\x00\x01\x08\x02\x00\x00\x00" + bytes(2000),
    "zip": b"PK\x03\x04" + bytes(3000),
    "pdf": b"%PDF-1.7\n" + bytes(3000),
    "one byte": b"R",
    "only a RIFF header": b"RIFF\xff\xff\xff\xffWAVE",
    "only an Ogg page header": b"OggS" + bytes(24),
}


@pytest.mark.parametrize("name", NOT_AUDIO)
def test_what_is_not_audio_is_refused_with_a_sentence(name):
    with pytest.raises(InvalidAudio, match=r"\. Send .*\.$"):
        list(decode(NOT_AUDIO[name]))


def test_an_empty_file_is_refused(tmp_path):
    (tmp_path / "empty.ogg").touch()
    for source in (b"", tmp_path / "empty.ogg"):
        with pytest.raises(InvalidAudio, match=r"The audio file is empty\. Record the note again"):
            list(decode(source))


@pytest.mark.parametrize("kind", [OPUS, WAV, Kind("flac", "flac", 8_000), Kind("ipod", "aac", 44_100)], ids=str)
def test_a_file_with_zero_samples_is_refused(kind):
    file = without_samples(kind)
    assert len(file) > 40
    with pytest.raises(InvalidAudio):
        list(decode(file))


def test_a_video_without_sound_is_refused_with_the_reason():
    with pytest.raises(InvalidAudio, match="There is no sound in this file"):
        list(decode(video_only()))


STREAMABLE = [kind for kind in KINDS if kind.container in {"ogg", "mp3", "adts", "wav", "flac", "webm", "amr"}]


@pytest.mark.parametrize("kind", STREAMABLE, ids=str)
def test_a_file_that_was_cut_off_is_heard_up_to_the_cut(kind):
    file = tone_file(kind, 4.0)
    samples = heard(file[: len(file) // 2])
    assert 0.8 < len(samples) / 16_000 < 3.0


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_a_file_that_was_cut_off_in_its_header_is_refused(kind):
    with pytest.raises(InvalidAudio):
        list(decode(tone_file(kind)[:16]))


def test_an_m4a_that_was_cut_off_before_its_index_is_refused():
    file = tone_file(Kind("ipod", "aac", 44_100), 4.0)
    with pytest.raises(InvalidAudio):
        list(decode(file[: len(file) // 2]))


@pytest.mark.parametrize(
    "kind", [OPUS, Kind("mp3", "libmp3lame", 44_100, "stereo"), Kind("adts", "aac", 16_000)], ids=str
)
def test_damage_in_the_middle_costs_the_middle_alone(kind):
    file = bytearray(tone_file(kind, 6.0))
    file[len(file) // 3 : len(file) // 3 + 600] = b"\xa5" * 600
    assert len(heard(bytes(file))) / 16_000 > 4.0


def test_paths_that_can_not_be_read_are_named(tmp_path):
    with pytest.raises(NotFound, match=r"There is no file .*missing\.ogg"):
        list(decode(tmp_path / "missing.ogg"))
    with pytest.raises(InvalidInput, match="is not a file"):
        list(decode(tmp_path))
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(InvalidInput, match="is not a file"):
        list(decode(pipe))


def test_a_read_that_fails_is_told():
    class Broken:
        def seekable(self):
            return True

        def seek(self, offset, whence=0):
            return 100_000 if whence == os.SEEK_END else offset

        def tell(self):
            return 0

        def read(self, size=-1):
            raise OSError("the disk is gone")

    with pytest.raises(InvalidAudio, match="could not be read: the disk is gone"):
        list(decode(Broken()))


@pytest.fixture
def secret(tmp_path):
    """A sound file that nobody sent to June."""
    path = tmp_path / "secret.wav"
    path.write_bytes(tone_file(WAV))
    return path


PLAYLISTS = {
    "concat": "ffconcat version 1.0\nfile {name}\n",
    "concat by URL": "ffconcat version 1.0\nfile {url}\n",
    "hls": "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:10\n#EXTINF:1,\n{path}\n#EXT-X-ENDLIST\n",
    "hls by URL": "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:10\n#EXTINF:1,\n{url}\n#EXT-X-ENDLIST\n",
    "dash": '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" '
    'mediaPresentationDuration="PT1S"><Period><AdaptationSet mimeType="audio/wav"><Representation id="1" '
    'bandwidth="1"><BaseURL>{url}</BaseURL></Representation></AdaptationSet></Period></MPD>',
    "sdp": "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=x\r\nc=IN IP4 127.0.0.1\r\nm=audio 5004 RTP/AVP 0\r\n",
}


@pytest.mark.parametrize("name", PLAYLISTS)
def test_a_playlist_reads_nothing_else(name, secret, tmp_path):
    asked = []

    class Server(BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            self.send_error(404)

        def log_message(self, *_):
            pass

    server = HTTPServer(("127.0.0.1", 0), Server)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        url = f"http://127.0.0.1:{server.server_port}/secret.wav"
        playlist = tmp_path / "note.ogg"
        playlist.write_text(PLAYLISTS[name].format(name=secret.name, path=secret, url=url))
        for source in (playlist, playlist.read_bytes()):
            with pytest.raises(InvalidAudio):
                list(decode(source))
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
    assert asked == []


def test_the_same_playlist_would_read_a_local_file_without_the_locks(secret, tmp_path):
    playlist = tmp_path / "note.ogg"
    playlist.write_text(PLAYLISTS["concat"].format(name=secret.name))
    with av.open(str(playlist)) as container:
        assert sum(frame.samples for frame in container.decode(audio=0)) == 16_000


def test_libraries_write_nothing_to_the_terminal(capfd):
    for data in [*NOT_AUDIO.values(), *(tone_file(kind)[:3000] + bytes(500) for kind in KINDS)]:
        try:
            list(decode(data))
        except InvalidAudio:
            continue
    assert capfd.readouterr() == ("", "")


def test_a_tone_of_one_twentieth_of_a_second_is_heard():
    assert len(heard(write_file(WAV, tone(16_000, 0.05)))) == 800
