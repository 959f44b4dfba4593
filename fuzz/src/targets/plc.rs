//! did:plc operations and logs.

use arroba_core::syntax::Did;
use arroba_identity::plc::{LogEntry, Operation, did_from_genesis, verify_log};

use crate::fixtures;

/// Operations and whole logs, in JSON.
pub fn target(data: &[u8]) {
    if let Ok(operation) = Operation::from_json(data) {
        let again = Operation::from_json(operation.to_json().to_string().as_bytes()).expect("our own JSON");
        assert_eq!(again.cid(), operation.cid());
        assert_eq!(again.to_cbor(), operation.to_cbor());
        let _ = did_from_genesis(&operation);
    }
    if let Ok(entries) = LogEntry::list_from_json(data) {
        let did = serde_json::from_slice::<serde_json::Value>(data)
            .ok()
            .and_then(|log| Did::parse(log.get(0)?.get("did")?.as_str()?).ok());
        if let Some(did) = did {
            let _ = verify_log(&did, entries);
        }
    }
}

/// What mutation starts from.
pub fn seeds() -> Vec<Vec<u8>> {
    let mut seeds = vec![br#"{"type":"plc_operation","rotationKeys":["did:key:zQ3shSEfbKCbty32G2fFh8ULBjCn5W24CBbgKxBr3zNBK6Rf4"],"verificationMethods":{},"alsoKnownAs":["at://a.test"],"services":{},"prev":null,"sig":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}"#.to_vec()];
    for folder in ["plc/valid", "plc/invalid"] {
        for file in fixtures::folder(folder) {
            if let Ok(serde_json::Value::Array(log)) = serde_json::from_slice(&file) {
                let operations = log.iter().filter_map(|entry| entry.get("operation"));
                seeds.extend(operations.take(2).map(|operation| operation.to_string().into_bytes()));
            }
            seeds.push(file);
        }
    }
    seeds
}
