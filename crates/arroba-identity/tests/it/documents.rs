//! The published DID documents.

use super::fixtures;
use arroba_core::{handle, syntax::Did};
use arroba_identity::DidDocument;
use std::fs;

fn document(name: &str, did: &str) -> Option<DidDocument> {
    let text = fs::read(fixtures::path(&format!("indigo/identity/{name}.json"))?).unwrap();
    Some(DidDocument::parse(&Did::parse(did).unwrap(), &text).unwrap())
}

#[test]
fn accounts_in_both_forms() {
    for (name, key) in [
        ("did_plc_doc", "zQ3shXjHeiBuRCKmM36cuYnm7YEMzhGnCmCyW92sRJ9pribSF"),
        ("did_plc_doc_legacy", "zQ3shXjHeiBuRCKmM36cuYnm7YEMzhGnCmCyW92sRJ9pribSF"),
    ] {
        let Some(document) = document(name, "did:plc:ewvi7nxzyoun6zhxrhs64oiz") else { return };
        assert_eq!(document.handle(), Some(handle!("atproto.com")));
        assert_eq!(document.signing_key().unwrap().to_multibase(), key);
        assert_eq!(document.pds().unwrap().as_str(), "https://bsky.social/");
    }
    println!("vectors: DID documents: 6 assertions");
}

#[test]
fn a_service() {
    let Some(document) = document("did_web_doc", "did:web:discover.bsky.social") else { return };
    assert_eq!(document.handle(), None);
    assert_eq!(document.signing_key(), None);
    assert_eq!(document.pds(), None);
    let endpoint = document.service("bsky_fg", Some("BskyFeedGenerator")).unwrap();
    assert_eq!(endpoint.as_str(), "https://discover.bsky.social/");
    println!("vectors: DID documents of services: 4 assertions");
}
