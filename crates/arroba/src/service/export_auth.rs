//! Who exports a whole repo.

use arroba_store::RepoRow;
use arroba_xrpc::{Result, XrpcError, bearer};
use axum::extract::{FromRef, FromRequestParts};
use http::StatusCode;
use http::request::Parts;

use super::Service;
use crate::auth::Viewer;
use crate::host::Exports;

/// Who exports: a reader, and whether it showed the token that opens every export.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ExportAuth {
    viewer: Viewer,
    by_token: bool,
}

impl ExportAuth {
    /// Who reads.
    pub(crate) const fn viewer(&self) -> &Viewer {
        &self.viewer
    }
}

impl<S> FromRequestParts<S> for ExportAuth
where
    S: Send + Sync,
    Service: FromRef<S>,
    Viewer: FromRequestParts<S>,
{
    type Rejection = <Viewer as FromRequestParts<S>>::Rejection;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Self::Rejection> {
        let service = Service::from_ref(state);
        if let Exports::Restricted(restricted) = &service.0.policies().exports
            && bearer(&parts.headers).is_some_and(|token| restricted.opened_by(token))
        {
            return Ok(Self { viewer: Viewer::Anyone, by_token: true });
        }
        let viewer = Viewer::from_request_parts(parts, state).await?;
        Ok(Self { viewer, by_token: false })
    }
}

impl Service {
    /// Whether a repo may be exported now.
    pub(super) fn may_export(&self, row: &RepoRow, auth: &ExportAuth) -> Result<()> {
        let Exports::Restricted(restricted) = &self.0.policies().exports else { return Ok(()) };
        let now = self.0.clock().now_micros();
        if auth.by_token || auth.viewer.sees_inactive(&row.did) || restricted.is_new(row.created, now) {
            return Ok(());
        }
        let hours = restricted.first_for().as_secs() / 3600;
        Err(XrpcError::new(
            StatusCode::NOT_IMPLEMENTED,
            "MethodNotImplemented",
            format!("Repos can be exported in the first {hours} hours after their creation only"),
        ))
    }
}
