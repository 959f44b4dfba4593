//! The data model: values, CIDs, strict DAG-CBOR, JSON.
