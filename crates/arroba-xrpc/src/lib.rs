//! XRPC endpoints, extractors, errors and subscriptions on axum.
