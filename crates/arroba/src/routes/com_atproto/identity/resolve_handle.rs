//! `com.atproto.identity.resolveHandle`

use arroba_lexicons::com_atproto::identity::{ResolveHandle, resolve_handle};
use arroba_xrpc::{Output, Query, Result};
use axum::extract::State;

use crate::accounts::Logins;

pub(crate) async fn resolve_handle(
    State(logins): State<Logins>,
    Query(params): Query<ResolveHandle>,
) -> Result<Output<ResolveHandle>> {
    let did = logins.resolve_handle(&params.handle).await?;
    Ok(Output(resolve_handle::Output { did }))
}
