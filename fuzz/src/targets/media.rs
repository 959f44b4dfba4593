//! Pictures, videos and sounds, as far as their size and length are read.

use arroba::remote_blobs::media_metadata;

#[path = "../../../crates/arroba/tests/it/media.rs"]
#[expect(clippy::unwrap_used, reason = "the samples are small")]
mod samples;

/// The same bytes are understood in the same way each time.
pub fn target(data: &[u8]) {
    assert_eq!(media_metadata(data), media_metadata(data));
}

/// What mutation starts from.
pub fn seeds() -> Vec<Vec<u8>> {
    let video = samples::Video::mp4(64, 36, 1_000);
    vec![
        samples::png(3, 4),
        samples::gif(3, 4),
        samples::jpeg(3, 4),
        samples::webp(3, 4),
        video.file(),
        samples::Video { brand: *b"qt  ", index_first: false, ..video }.file(),
        samples::webm(3, 4, 1_000),
        samples::wav(10),
    ]
}
