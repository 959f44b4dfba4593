"""What arroba.util.media_metadata makes of our sample files, and what lexrpc makes of media types, as JSON.

The samples are those of the last measurement, or new ones: `ARROBA_WRITE_SAMPLES=DIR cargo test -p arroba --test it media` writes them,
and `ARROBA_SAMPLES=DIR` here reads them. libmediainfo must be installed (Debian: libmediainfo0v5)."""

import json
import logging
import mimetypes
import os
import pathlib
import sys

from arroba import util
from arroba.datastore_storage import BLOB_MAX_BYTES, BLOB_REFETCH_AGE, BLOB_REFETCH_TYPES, VIDEO_MAX_DURATION
from lexrpc.base import Base
from lexrpc import ValidationError

logging.disable(logging.CRITICAL)

KEPT = pathlib.Path("crates/arroba/tests/python/media.json")
GUESSED = ["a.jpg", "a.JPEG", "a.png", "a.gif", "a.webp", "a.mp4", "a.webm", "a.mov", "a.mp3", "a", "a.", "a.unknown"]
TYPES = ["image/png", "image/jpeg", "video/mp4", "image/", "image", "", "images/png"]
ACCEPTS = [[], ["*/*"], ["image/*"], ["image/png"], ["image/png", "image/jpeg"], ["video/mp4", "image/*"], ["*"]]


def samples():
    if directory := os.environ.get("ARROBA_SAMPLES"):
        return {path.name: path.read_bytes() for path in sorted(pathlib.Path(directory).iterdir())}
    kept = json.loads(KEPT.read_text())["files"]
    return {name: bytes.fromhex(facts["content"]) for name, facts in kept.items()}


def facts(content):
    track = util.media_metadata(content)
    media = track and {"width": track.width, "height": track.height, "duration": track.duration}
    return {"content": content.hex(), "media": media}


def accepted(mime_type, accept):
    try:
        Base.validate_mime_type(mime_type, accept, name="x")
        return True
    except ValidationError:
        return False


json.dump({
    "files": {name: facts(content) for name, content in samples().items()},
    "guessed": {name: mimetypes.guess_type(f"https://media.test/{name}")[0] for name in GUESSED},
    "accepted": [[mime_type, accept, accepted(mime_type, accept)] for mime_type in TYPES for accept in ACCEPTS],
    "settings": {
        "BLOB_MAX_BYTES": BLOB_MAX_BYTES,
        "BLOB_REFETCH_DAYS": BLOB_REFETCH_AGE.days,
        "BLOB_REFETCH_TYPES": list(BLOB_REFETCH_TYPES),
        "VIDEO_MAX_DURATION_SECONDS": VIDEO_MAX_DURATION.total_seconds(),
    },
}, sys.stdout, indent=1, sort_keys=True)
print()
