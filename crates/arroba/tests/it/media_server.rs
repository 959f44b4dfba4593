//! A server of files that may lie, stall and never end.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// What happens after an answer's bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Then {
    Close,
    Silence,
    /// The body again and again, without an end.
    Repeat,
}

#[derive(Clone, Debug)]
struct Answer {
    bytes: Vec<u8>,
    body: Vec<u8>,
    then: Then,
}

#[derive(Default)]
struct State {
    answers: HashMap<String, Answer>,
    asked: HashMap<String, usize>,
}

/// Files by path; whatever is not there is 404.
pub(crate) struct MediaServer {
    pub(crate) address: SocketAddr,
    state: Arc<Mutex<State>>,
    task: JoinHandle<()>,
}

impl Drop for MediaServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl MediaServer {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::<Mutex<State>>::default();
        let shared = Arc::clone(&state);
        let task = tokio::spawn(async move {
            let mut connections = tokio::task::JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                connections.spawn(answer(stream, Arc::clone(&shared)));
            }
        });
        Self { address, state, task }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Serves a file as it should be.
    pub(crate) fn file(&self, path: &str, mime_type: &str, body: &[u8]) -> String {
        let length = body.len();
        let head = format!("200 OK\r\ncontent-type: {mime_type}\r\ncontent-length: {length}");
        self.answer(path, &head, body, Then::Close)
    }

    /// Serves what is given: status and headers, body, and what comes then.
    pub(crate) fn answer(&self, path: &str, head: &str, body: &[u8], then: Then) -> String {
        let head = format!("HTTP/1.1 {head}\r\nconnection: close\r\n\r\n");
        let answer = Answer { bytes: head.into_bytes(), body: body.to_vec(), then };
        self.state.lock().unwrap().answers.insert(path.to_owned(), answer);
        self.url(path)
    }

    /// How often a path was asked for.
    pub(crate) fn asked(&self, path: &str) -> usize {
        self.state.lock().unwrap().asked.get(path).copied().unwrap_or_default()
    }
}

async fn answer(mut stream: TcpStream, state: Arc<Mutex<State>>) {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        let Ok(byte) = stream.read_u8().await else { return };
        request.push(byte);
    }
    let request = String::from_utf8_lossy(&request).into_owned();
    let path = request.split(' ').nth(1).unwrap_or_default().to_owned();
    let answer = {
        let mut state = state.lock().unwrap();
        *state.asked.entry(path.clone()).or_default() += 1;
        state.answers.get(&path).cloned()
    };
    let answer = answer.unwrap_or_else(|| Answer {
        bytes: b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\nconnection: close\r\n\r\n".to_vec(),
        body: Vec::new(),
        then: Then::Close,
    });
    if stream.write_all(&answer.bytes).await.is_err() {
        return;
    }
    while stream.write_all(&answer.body).await.is_ok() && answer.then == Then::Repeat {}
    if answer.then == Then::Silence {
        // Until the other side has enough.
        let _ = stream.read_u8().await;
    }
}
