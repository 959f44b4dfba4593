//! Remote blobs as arroba 3.1 for Python has them: what it was measured to do is in `tests/python/media.json`
//! (`e2e/python-parity/facts_media.py`).

use arroba::remote_blobs::{GivenContent, MediaMetadata, RemoteBlobLimits, media_metadata};
use arroba::store::{Memory, RemoteBlob};
use arroba::{BlobConstraints, RemoteBlobError, RemoteBlobs};
use serde_json::Value;

use super::media_server::{MediaServer, Then};
use super::remote_blobs::{client, samples};

fn facts() -> Value {
    serde_json::from_str(include_str!("../python/media.json")).unwrap()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Where more is known here than there: libmediainfo knows no WebP, and of WebM only tracks that say themselves how long they are.
const MORE: [&str; 2] = ["webp", "webm"];

#[test]
fn media_metadata_is_the_same() {
    let facts = facts();
    let files = facts["files"].as_object().unwrap();
    let samples = samples();
    assert_eq!(files.len(), samples.len());
    for (name, file, _) in samples {
        assert!(files[name]["content"] == hex(&file), "{name}: measure the new file");
        let theirs = &files[name]["media"];
        let ours = media_metadata(&file);
        let number = |field: &str| theirs[field].as_u64();
        let side = |field: &str| number(field).map(|pixels| u32::try_from(pixels).unwrap());
        let media =
            MediaMetadata { width: side("width"), height: side("height"), duration_ms: number("duration") };
        if MORE.contains(&name) {
            let ours = ours.unwrap();
            assert!(media.width.is_none_or(|width| ours.width == Some(width)), "{name}");
            assert!(media.duration_ms.is_none() && ours != media, "{name} is not known there");
        } else {
            assert_eq!(ours, theirs.is_object().then_some(media), "{name}");
        }
    }
}

#[tokio::test]
async fn types_are_guessed_alike() {
    let server = MediaServer::start().await;
    let blobs = RemoteBlobs::builder(Memory::new(), client()).build();
    for (name, theirs) in facts()["guessed"].as_object().unwrap() {
        let url = server.answer(&format!("/{name}"), "200 OK\r\ncontent-length: 1", b"?", Then::Close);
        let blob = blobs.get_or_create(&url, None, &BlobConstraints::default(), None).await.unwrap();
        assert_eq!(blob.mime_type, theirs.as_str().unwrap_or(RemoteBlob::UNKNOWN_TYPE), "{name}");
    }
}

#[tokio::test]
async fn types_are_accepted_alike() {
    let blobs = RemoteBlobs::builder(Memory::new(), client()).build();
    let mut compared = 0;
    for case in facts()["accepted"].as_array().unwrap() {
        let (mime_type, accept) = (case[0].as_str().unwrap(), case[1].as_array().unwrap());
        let constraints = BlobConstraints {
            accept: accept.iter().map(|pattern| pattern.as_str().unwrap().to_owned()).collect(),
            ..BlobConstraints::default()
        };
        let content = GivenContent { bytes: "?".into(), mime_type: mime_type.to_owned() };
        match blobs.get_or_create("https://media.test/a", None, &constraints, Some(content)).await {
            Ok(_) => assert_eq!(case[2], true, "{case}"),
            Err(RemoteBlobError::NotAccepted { .. }) => assert_eq!(case[2], false, "{case}"),
            // What is no media type is none here, and only not accepted there.
            Err(RemoteBlobError::WrongType { .. }) => {
                assert!(!mime_type.contains('/') || mime_type.ends_with('/'))
            }
            Err(other) => panic!("{case}: {other:?}"),
        }
        compared += 1;
    }
    assert!(compared > 40);
}

#[test]
fn the_defaults_are_theirs() {
    let (facts, ours) = (facts(), RemoteBlobLimits::default());
    let settings = &facts["settings"];
    assert_eq!(settings["BLOB_MAX_BYTES"], ours.max_bytes);
    assert_eq!(settings["BLOB_REFETCH_DAYS"], ours.refetch_after.as_secs() / (24 * 60 * 60));
    assert_eq!(settings["BLOB_REFETCH_TYPES"], serde_json::json!(ours.refetch_types));
    assert_eq!(settings["VIDEO_MAX_DURATION_SECONDS"], ours.max_duration.as_secs_f64());
}
