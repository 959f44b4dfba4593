//! `com.atproto.repo.uploadBlob`

use arroba_lexicons::com_atproto::repo::upload_blob::{self, UploadBlob};
use arroba_xrpc::{Output, RawBody, Result};
use axum::extract::State;

use crate::auth::UploadAuth;
use crate::service::Service;

pub(crate) async fn upload_blob(
    State(service): State<Service>,
    auth: UploadAuth,
    body: RawBody,
) -> Result<Output<UploadBlob>> {
    let blob = service.upload(auth, body).await?;
    Ok(Output(upload_blob::Output { blob: blob.into() }))
}
