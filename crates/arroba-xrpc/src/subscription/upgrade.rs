//! The extractor of a subscription handler: a request that can become a WebSocket.

use axum::extract::FromRequestParts;
use axum::extract::ws::WebSocketUpgrade;
use axum::response::{IntoResponse, Response};
use http::header::{CONNECTION, UPGRADE};
use http::request::Parts;
use http::{HeaderValue, StatusCode};

use super::{FrameSource, Subscriptions, socket};
use crate::{ClientIp, Result, XrpcError};

/// A request for a WebSocket. Without an upgrade it is refused with 426 `UpgradeRequired`.
#[derive(Debug)]
pub struct Upgrade {
    upgrade: WebSocketUpgrade,
    client: ClientIp,
}

impl Upgrade {
    /// The client's address.
    pub fn client(&self) -> ClientIp {
        self.client
    }

    /// Answers 101 and serves `source` to the client until either ends.
    ///
    /// # Errors
    /// 429 when the address has too many connections; 503 when the server has, or shuts down.
    pub fn serve(self, subscriptions: &Subscriptions, source: impl FrameSource) -> Result<Response> {
        let place = subscriptions.admit(self.client.0).ok_or_else(|| refused(subscriptions))?;
        let inner = &subscriptions.inner;
        let options = inner.options.clone();
        let closing = inner.closing.clone();
        let token = inner.tasks.token();
        let upgrade = self
            .upgrade
            .max_message_size(options.max_client_message_bytes)
            .max_frame_size(options.max_client_message_bytes);
        Ok(upgrade.on_upgrade(async move |websocket| {
            socket::run(websocket, source, &options, &closing).await;
            drop(place);
            drop(token);
        }))
    }
}

fn refused(subscriptions: &Subscriptions) -> XrpcError {
    let inner = &subscriptions.inner;
    if inner.closing.is_cancelled() || subscriptions.open() >= inner.options.total {
        XrpcError::unavailable("no more subscriptions", 10)
    } else {
        XrpcError::new(
            StatusCode::TOO_MANY_REQUESTS,
            "TooManyConnections",
            "too many connections from this address",
        )
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Upgrade {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Response> {
        let upgrade =
            WebSocketUpgrade::from_request_parts(parts, state).await.map_err(|_| upgrade_required())?;
        let Ok(client) = ClientIp::from_request_parts(parts, state).await;
        Ok(Self { upgrade, client })
    }
}

fn upgrade_required() -> Response {
    XrpcError::new(StatusCode::UPGRADE_REQUIRED, "UpgradeRequired", "this method is a WebSocket subscription")
        .with_header(UPGRADE, HeaderValue::from_static("websocket"))
        .with_header(CONNECTION, HeaderValue::from_static("Upgrade"))
        .into_response()
}
