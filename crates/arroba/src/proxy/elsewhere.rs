//! Records of repos that are not here: the app view is asked, for everybody and in nobody's name, as clients of the
//! reference server expect.

use arroba_core::nsid;
use arroba_core::syntax::{AtIdentifier, Nsid};
use arroba_lexicons::com_atproto::repo::get_record::{GetRecord, Params};
use arroba_lexicons::{Endpoint, FromQuery, QueryPairs};
use arroba_xrpc::{Destination, Result};
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::{Method, Uri};

use super::{APP_VIEW, Inner, Proxy, ProxyService};
use crate::service::store_failed;

const GET_RECORD: Nsid = nsid!("com.atproto.repo.getRecord");

/// Lets `com.atproto.repo.getRecord` pass to the app view, if there is one, when the repo is none of ours; everything else
/// is for the route.
pub(crate) async fn records(State(proxy): State<Proxy>, request: Request, next: Next) -> Response {
    let (method, uri) = (request.method().clone(), request.uri().clone());
    match proxy.0.elsewhere(&method, &uri).await {
        Ok(None) => next.run(request).await,
        Ok(Some(app_view)) => {
            proxy.0.ask_for_record(app_view, request).await.unwrap_or_else(IntoResponse::into_response)
        }
        Err(error) => error.into_response(),
    }
}

impl Inner {
    async fn elsewhere(&self, method: &Method, uri: &Uri) -> Result<Option<&ProxyService>> {
        if uri.path() != GetRecord::PATH || method != Method::GET {
            return Ok(None);
        }
        let mut services = self.services.iter().map(|(_, service)| service);
        let Some(app_view) = services.find(|service| service.service.id() == APP_VIEW) else {
            return Ok(None);
        };
        // What is malformed is for the route to refuse.
        let pairs = QueryPairs::parse(uri.query().unwrap_or_default());
        let Ok(params) = pairs.and_then(|pairs| Params::from_query(&pairs)) else { return Ok(None) };
        let row = match &params.repo {
            AtIdentifier::Did(did) => self.host.store().repo(did).await,
            AtIdentifier::Handle(handle) => self.host.store().by_handle(handle).await,
        };
        Ok(row.map_err(store_failed)?.is_none().then_some(app_view))
    }

    async fn ask_for_record(&self, app_view: &ProxyService, request: Request) -> Result<Response> {
        let to = Destination { service: &app_view.url, method: &GET_RECORD, token: None, read_here: false };
        self.configured.forward(request, to).await?.finish().await
    }
}
