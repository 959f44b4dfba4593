//! DID documents.

use arroba_core::syntax::Did;
use arroba_identity::DidDocument;

use crate::{fixtures, repository};

/// DID documents, read for their own DID.
pub fn target(data: &[u8]) {
    let json = serde_json::from_slice::<serde_json::Value>(data).unwrap_or_default();
    let did = json.get("id").and_then(|id| Did::parse(id.as_str()?).ok()).unwrap_or_else(repository::owner);
    if let Ok(document) = DidDocument::parse(&did, data) {
        let _ = (document.handle(), document.signing_key(), document.pds(), document.key("#atproto"));
    }
}

/// What mutation starts from.
pub fn seeds() -> Vec<Vec<u8>> {
    let mut seeds = vec![br##"{"id":"did:web:a.test","alsoKnownAs":["at://a.test"],"verificationMethod":[{"id":"#atproto","type":"Multikey","controller":"did:web:a.test","publicKeyMultibase":"zQ3shSEfbKCbty32G2fFh8ULBjCn5W24CBbgKxBr3zNBK6Rf4"}],"service":[{"id":"#atproto_pds","type":"AtprotoPersonalDataServer","serviceEndpoint":"https://a.test"}]}"##.to_vec()];
    seeds.extend(fixtures::folder("indigo/identity"));
    seeds.extend(fixtures::read("indigo/repos/fakermaker.didDoc.json"));
    seeds
}
