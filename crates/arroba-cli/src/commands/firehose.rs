//! `arroba firehose`.

mod print;
mod verifier;

use crate::{cli::Firehose, output};
use anyhow::{Context, bail};
use arroba_core::event::{Frame, MAX_FRAME_BYTES};
use futures::StreamExt;
use std::process::ExitCode;
use tokio_tungstenite::{
    connect_async_with_config,
    tungstenite::{self, Message, protocol::WebSocketConfig},
};
use url::Url;
use verifier::Verifier;

pub(crate) async fn run(command: Firehose) -> anyhow::Result<ExitCode> {
    let Firehose::Tail { server, cursor, verify, plc, count, json } = command;
    let url = subscription_url(&server, cursor)?;
    let mut verifier = if verify { Some(Verifier::new(&plc, &url)?) } else { None };
    // A frame of the protocol fits in 5 MB; whatever is larger is not one.
    let config = WebSocketConfig::default()
        .max_message_size(Some(MAX_FRAME_BYTES))
        .max_frame_size(Some(MAX_FRAME_BYTES));
    let (mut socket, _) = connect_async_with_config(url.as_str(), Some(config), true)
        .await
        .map_err(explain)
        .with_context(|| format!("connecting to {url}"))?;
    let mut seen = 0;
    while count != Some(seen) {
        let Some(message) = socket.next().await else { bail!("the server ended the connection") };
        let bytes = match message.map_err(explain).context("reading from the stream")? {
            Message::Binary(bytes) => bytes,
            Message::Close(close) => bail!("the server closed the stream: {}", closed(close.as_ref())),
            _ => continue,
        };
        let frame = Frame::decode(&bytes).context("a frame that is not one")?;
        print::frame(&frame, bytes.len(), json)?;
        if let Frame::Error(_) = frame {
            return Ok(ExitCode::FAILURE);
        }
        if let Some(verifier) = &mut verifier {
            verifier
                .check(&frame, &bytes)
                .await
                .with_context(|| format!("event {}", frame.seq().unwrap_or_default()))?;
        }
        seen += u64::from(frame.seq().is_some());
    }
    // The server need not answer; the events are already printed.
    let _ = socket.close(None).await;
    if let Some(verifier) = verifier {
        output::line(verifier.summary())?;
    }
    Ok(ExitCode::SUCCESS)
}

fn subscription_url(server: &str, cursor: Option<u64>) -> anyhow::Result<Url> {
    let server = if server.contains("://") { server.to_owned() } else { format!("wss://{server}") };
    let mut url = Url::parse(&server).with_context(|| format!("`{server}` is no address of a server"))?;
    let scheme = match url.scheme() {
        "http" | "ws" => "ws",
        "https" | "wss" => "wss",
        other => bail!("cannot follow {other}: give an http, https, ws or wss address"),
    };
    if url.set_scheme(scheme).is_err() {
        bail!("`{server}` is no address of a server");
    }
    url.set_path("/xrpc/com.atproto.sync.subscribeRepos");
    url.set_query(cursor.map(|c| format!("cursor={c}")).as_deref());
    Ok(url)
}

fn explain(error: tungstenite::Error) -> anyhow::Error {
    match error {
        tungstenite::Error::Http(response) => {
            let body =
                response.body().as_deref().map(String::from_utf8_lossy).unwrap_or_default().into_owned();
            anyhow::anyhow!("the server answered {} {body}", response.status())
        }
        other => other.into(),
    }
}

fn closed(close: Option<&tungstenite::protocol::CloseFrame>) -> String {
    close.map_or_else(|| "no reason given".into(), |c| format!("{} {}", c.code, c.reason))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_become_subscriptions() {
        let url = |server, cursor| subscription_url(server, cursor).unwrap().to_string();
        let path = "/xrpc/com.atproto.sync.subscribeRepos";
        assert_eq!(url("http://localhost:2583", None), format!("ws://localhost:2583{path}"));
        assert_eq!(url("https://a.example/ignored?x=1", Some(7)), format!("wss://a.example{path}?cursor=7"));
        assert_eq!(url("a.example", None), format!("wss://a.example{path}"));
        assert!(subscription_url("ftp://a.example", None).is_err());
    }
}
