//! `com.atproto.repo.importRepo`

use arroba_xrpc::{RawBody, Result};
use axum::extract::State;

use crate::auth::ImportAuth;
use crate::service::Service;

pub(crate) async fn import_repo(
    State(service): State<Service>,
    auth: ImportAuth,
    body: RawBody,
) -> Result<()> {
    service.import(auth, body).await
}
