//! `GET /export/stream`: operations as they are accepted, over a WebSocket.

use super::{
    Directory,
    http::{Refusal, sequenced_json},
};
use axum::{
    extract::{
        Query, State,
        ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade, rejection::WebSocketUpgradeRejection},
    },
    http::StatusCode,
    response::Response,
};
use serde::Deserialize;
use std::time::Duration;
use tokio::time::timeout;

/// How far back a subscriber may start, in microseconds: about a week. Further back there is `/export`.
const WINDOW_MICROS: i64 = 7 * 24 * 60 * 60 * 1_000_000;

/// A subscriber that takes longer than this for a message is given up.
const SEND_TIMEOUT: Duration = Duration::from_secs(30);

/// How often a subscriber that nothing is sent to is asked whether it is still there.
const PING_INTERVAL: Duration = Duration::from_secs(30);

const PAGE: usize = 100;

#[derive(Deserialize)]
pub(super) struct StreamQuery {
    cursor: Option<u64>,
}

pub(super) async fn subscribe(
    State(directory): State<Directory>,
    Query(query): Query<StreamQuery>,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<Response, Refusal> {
    let upgrade = upgrade
        .map_err(|_| Refusal::new(StatusCode::UPGRADE_REQUIRED, "this is a WebSocket endpoint"))?
        .max_message_size(4096);
    Ok(upgrade.on_upgrade(move |socket| serve(directory, query.cursor, socket)))
}

async fn serve(directory: Directory, cursor: Option<u64>, mut socket: WebSocket) {
    if let Some(reason) = run(&directory, cursor, &mut socket).await {
        let frame = CloseFrame { code: 1000, reason: reason.into() };
        // The subscriber may be gone already.
        let _ = timeout(SEND_TIMEOUT, socket.send(Message::Close(Some(frame)))).await;
    }
}

/// Serves until the subscriber leaves (`None`), or is sent away for a reason.
async fn run(directory: &Directory, cursor: Option<u64>, socket: &mut WebSocket) -> Option<&'static str> {
    let mut newest = directory.newest();
    let mut cursor = match cursor {
        None => *newest.borrow_and_update(),
        Some(cursor) if cursor > *newest.borrow_and_update() => return Some("FutureCursor"),
        Some(cursor) => cursor,
    };
    let now = i64::try_from(directory.inner.clock.unix_millis()).unwrap_or(i64::MAX).saturating_mul(1000);
    let first = directory.export(cursor, 1);
    if first.iter().any(|first| first.entry.created_at.unix_micros() < now.saturating_sub(WINDOW_MICROS)) {
        return Some("OutdatedCursor");
    }
    loop {
        let page = directory.export(cursor, PAGE);
        for operation in &page {
            let message = Message::Text(sequenced_json(operation).to_string().into());
            match timeout(SEND_TIMEOUT, socket.send(message)).await {
                Ok(Ok(())) => cursor = operation.seq,
                Ok(Err(_)) => return None,
                Err(_) => return Some("ConsumerTooSlow"),
            }
        }
        if !page.is_empty() {
            continue;
        }
        tokio::select! {
            changed = newest.changed() => changed.ok()?,
            () = tokio::time::sleep(PING_INTERVAL) => {
                match timeout(SEND_TIMEOUT, socket.send(Message::Ping(Default::default()))).await {
                    Ok(Ok(())) => {}
                    Ok(Err(_)) | Err(_) => return None,
                }
            }
            message = socket.recv() => match message {
                // Pings are answered by the library; anything else that a subscriber says is ignored.
                Some(Ok(Message::Close(_))) | Some(Err(_)) | None => return None,
                Some(Ok(_)) => {}
            },
        }
    }
}
