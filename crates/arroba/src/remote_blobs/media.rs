//! How large a picture is and how long a video lasts.
//!
//! Files are told by their first bytes, not by what anybody says of them: pictures are read by `imagesize`, MP4 and QuickTime by
//! `mp4parse` (Firefox's, which knows the size of a track whatever its codec), other videos and sounds, and what is cut into fragments,
//! by `symphonia`. All are handed a source that gives out a limited number of bytes, so that a file made to waste time or memory wastes
//! little. Nothing is decoded.

use std::io::{self, BufReader, Cursor, Read, Seek, SeekFrom};
use std::panic::{AssertUnwindSafe, catch_unwind};

use mp4parse::{SampleEntry, TrackType};
use symphonia::core::codecs::CodecParameters;
use symphonia::core::common::Limit;
use symphonia::core::formats::probe::Hint;
use symphonia::core::formats::{self, FormatOptions, Track};
use symphonia::core::io::{MediaSource, MediaSourceStream};
use symphonia::core::meta::MetadataOptions;

/// The most bytes of a file that are read to understand it. The index of a video of ten minutes takes a few hundred kilobytes; what
/// parsers keep of it is a small multiple of this at most.
const READ_BYTES: u64 = 16 << 20;

/// So many parts of an MP4 file may stand before its index.
const MOST_BOXES: usize = 10_000;

/// How much of a file is looked at to tell what it is.
const SNIFFED_BYTES: u64 = 4096;

/// What is known of a picture, video or sound.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MediaMetadata {
    /// In pixels, as stored: a rotation for showing is not counted.
    pub width: Option<u32>,
    /// In pixels, as stored.
    pub height: Option<u32>,
    /// In milliseconds.
    pub duration_ms: Option<u64>,
}

/// What kind of file something is, as far as it matters here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Picture,
    /// A video or a sound: their files often look alike.
    Moving,
    /// Something else that is known.
    Other,
}

/// Width, height and duration of a file's first video, else the duration of its first sound, else width and height of the picture that
/// it is; nothing if it is none of these or cannot be understood.
///
/// ```
/// let gif = b"GIF89a\x20\x00\x10\x00\x00\x00\x00;";
/// let media = arroba::remote_blobs::media_metadata(gif).unwrap();
/// assert_eq!((media.width, media.height), (Some(32), Some(16)));
/// assert_eq!(arroba::remote_blobs::media_metadata(b"hello"), None);
/// ```
#[must_use]
pub fn media_metadata(content: &[u8]) -> Option<MediaMetadata> {
    probe(Cursor::new(content)).1
}

/// What kind of file this is, and what is known of it. The file is read from its beginning.
pub(super) fn probe<S>(mut file: S) -> (Option<Kind>, Option<MediaMetadata>)
where
    S: Read + Seek + Send + Sync,
{
    let mut start = Vec::new();
    let read = file.rewind().and_then(|()| (&mut file).take(SNIFFED_BYTES).read_to_end(&mut start));
    let (Ok(_), Ok(length), Ok(())) = (read, file.seek(SeekFrom::End(0)), file.rewind()) else {
        return (None, None);
    };
    let kind = kind(&start);
    let source = Bounded { file, length, left: READ_BYTES };
    // A file that a parser stumbles over is one of which nothing is known, whatever it was made for.
    let media = catch_unwind(AssertUnwindSafe(|| match kind {
        Some(Kind::Picture) => picture(source),
        Some(Kind::Moving) => moving(source),
        Some(Kind::Other) | None => None,
    }));
    if media.is_err() {
        tracing::warn!("a parser of media files panicked");
    }
    (kind, media.unwrap_or_default())
}

fn kind(start: &[u8]) -> Option<Kind> {
    if let Some(known) = infer::get(start) {
        match known.matcher_type() {
            infer::MatcherType::Image => return Some(Kind::Picture),
            infer::MatcherType::Video | infer::MatcherType::Audio => return Some(Kind::Moving),
            _ => {}
        }
    }
    // MP4 has more brands than anyone lists, and EBML is Matroska.
    if start.get(4..8) == Some(b"ftyp") || start.starts_with(&[0x1a, 0x45, 0xdf, 0xa3]) {
        return Some(Kind::Moving);
    }
    infer::get(start).map(|_| Kind::Other)
}

fn picture<S: Read + Seek>(source: Bounded<S>) -> Option<MediaMetadata> {
    let size = imagesize::reader_size(BufReader::new(source)).ok()?;
    let side = |pixels: usize| u32::try_from(pixels).ok();
    Some(MediaMetadata { width: side(size.width), height: side(size.height), duration_ms: None })
}

fn moving<S: Read + Seek + Send + Sync>(mut source: Bounded<S>) -> Option<MediaMetadata> {
    match mp4(&mut source) {
        Some(media) if media.duration_ms.is_some() => Some(media),
        // Of fragments the index of the whole may tell.
        Some(media) => {
            let duration_ms = container(source).and_then(|indexed| indexed.duration_ms);
            Some(MediaMetadata { duration_ms, ..media })
        }
        None => container(source),
    }
}

/// The first video or sound of an MP4 or QuickTime file, if it is one.
fn mp4<S: Read + Seek>(source: &mut Bounded<S>) -> Option<MediaMetadata> {
    let found = movie(source).and_then(|length| mp4parse::read_mp4(&mut source.take(length)).ok());
    source.rewind().ok()?;
    let tracks = found?.tracks;
    let first = |wanted| tracks.iter().find(|track| track.track_type == wanted);
    let track = first(TrackType::Video).or_else(|| first(TrackType::Audio))?;
    let sides = track.stsd.iter().flat_map(|table| table.descriptions.iter()).find_map(|entry| match entry {
        SampleEntry::Video(video) => Some((u32::from(video.width), u32::from(video.height))),
        _ => None,
    });
    // Of a codec that is not known, the size that it is shown in; 16 bits of it are a fraction.
    let sides = sides.or_else(|| track.tkhd.as_ref().map(|shown| (shown.width >> 16, shown.height >> 16)));
    let (width, height) = sides.filter(|_| track.track_type == TrackType::Video).unzip();
    let duration_ms = match (&track.duration, &track.timescale) {
        (Some(duration), Some(scale)) if scale.0 > 0 => {
            u64::try_from(u128::from(duration.0).saturating_mul(1000) / u128::from(scale.0)).ok()
        }
        _ => None,
    };
    Some(MediaMetadata { width, height, duration_ms: duration_ms.filter(|length| *length > 0) })
}

/// Goes to the index of an MP4 file, past all else that stands at its top level; returns how long it is.
fn movie<S: Read + Seek>(source: &mut Bounded<S>) -> Option<u64> {
    let mut at = 0_u64;
    for _ in 0..MOST_BOXES {
        let mut head = [0; 16];
        source.seek(SeekFrom::Start(at)).ok()?;
        source.read_exact(head.get_mut(..8)?).ok()?;
        let (size, name) = head.get(..8)?.split_at_checked(4)?;
        let name: [u8; 4] = name.try_into().ok()?;
        let mut size = u64::from(u32::from_be_bytes(size.try_into().ok()?));
        if size == 1 {
            source.read_exact(head.get_mut(8..)?).ok()?;
            size = u64::from_be_bytes(head.get(8..)?.try_into().ok()?);
        } else if size == 0 {
            size = source.length.checked_sub(at)?;
        }
        if size < 8 || !name.iter().all(|byte| byte.is_ascii_graphic() || *byte == b' ') {
            return None;
        }
        if name == *b"moov" {
            source.seek(SeekFrom::Start(at)).ok()?;
            return Some(size);
        }
        at = at.checked_add(size)?;
    }
    None
}

/// The first video or sound of any other container.
fn container<S: Read + Seek + Send + Sync>(source: Bounded<S>) -> Option<MediaMetadata> {
    let metadata =
        MetadataOptions::default().limit_tag_bytes(Limit::Maximum(0)).limit_visual_bytes(Limit::Maximum(0));
    let stream = MediaSourceStream::new(Box::new(source), Default::default());
    let file = symphonia::default::get_probe()
        .probe(&Hint::new(), stream, FormatOptions::default(), metadata)
        .ok()?;
    let tracks = file.tracks();
    let first = |wanted| tracks.iter().find(|track| track.track_type() == Some(wanted));
    let track = first(formats::TrackType::Video).or_else(|| first(formats::TrackType::Audio))?;
    let (width, height) = match &track.codec_params {
        Some(CodecParameters::Video(video)) => (video.width, video.height),
        _ => (None, None),
    };
    // Some formats know the length of the whole only.
    let whole = file.media_info();
    let duration_ms = duration_ms(track).or_else(|| {
        let duration = whole.time_base?.calc_duration(whole.duration?)?;
        u64::try_from(duration.as_millis()).ok().filter(|length| *length > 0)
    });
    Some(MediaMetadata { width: width.map(u32::from), height: height.map(u32::from), duration_ms })
}

fn duration_ms(track: &Track) -> Option<u64> {
    let duration = track.time_base?.calc_duration(track.duration?)?;
    u64::try_from(duration.as_millis()).ok().filter(|length| *length > 0)
}

/// A file that gives out so many bytes and then fails. What is skipped costs nothing.
struct Bounded<S> {
    file: S,
    length: u64,
    left: u64,
}

impl<S: Read> Read for Bounded<S> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.left == 0 && !buffer.is_empty() {
            return Err(io::Error::other("more was read than a file of this kind needs"));
        }
        let wanted = buffer.len().min(usize::try_from(self.left).unwrap_or(usize::MAX));
        let read = self.file.read(buffer.get_mut(..wanted).unwrap_or_default())?;
        self.left = self.left.saturating_sub(read as u64);
        Ok(read)
    }
}

impl<S: Seek> Seek for Bounded<S> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.file.seek(to)
    }
}

impl<S: Read + Seek + Send + Sync> MediaSource for Bounded<S> {
    fn is_seekable(&self) -> bool {
        true
    }

    fn byte_len(&self) -> Option<u64> {
        Some(self.length)
    }
}
