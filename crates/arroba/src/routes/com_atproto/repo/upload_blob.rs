//! `com.atproto.repo.uploadBlob`

use arroba_lexicons::com_atproto::repo::upload_blob::{self, UploadBlob};
use arroba_xrpc::{ClientIp, Output, RawBody, RequestLimits, Result};
use axum::extract::State;

use crate::auth::UploadAuth;
use crate::rate_limits::UPLOAD_BLOB;
use crate::service::Service;

pub(crate) async fn upload_blob(
    State(service): State<Service>,
    auth: UploadAuth,
    client: ClientIp,
    limits: RequestLimits,
    body: RawBody,
) -> Result<Output<UploadBlob>> {
    limits.consume(&UPLOAD_BLOB, client.0.to_string(), 1)?;
    let blob = service.upload(auth, body).await?;
    Ok(Output(upload_blob::Output { blob: blob.into() }))
}
