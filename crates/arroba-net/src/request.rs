use bytes::Bytes;
use futures::stream::BoxStream;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use std::{fmt, io, time::Duration};
use url::Url;

/// What one request may cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Time until the answer's headers have arrived, over all redirects. While a [`RequestBody::Stream`] is sent it
    /// begins anew with each piece that is taken, and stands still while the stream has none: the silence of the
    /// stream is for the stream to bound.
    pub headers: Duration,
    /// Longest wait for the next piece of the answer's body.
    pub idle: Duration,
    /// Time until the answer's last byte, over all redirects.
    pub total: Duration,
    /// Bytes of the answer's body, counted after decompression.
    pub body_bytes: u64,
    /// Redirects that are followed. With 0 the redirect itself is the answer.
    pub redirects: u8,
}

impl Default for Limits {
    /// 5 seconds for the headers, 10 in all and without a word, 1 MiB, 3 redirects.
    fn default() -> Self {
        Self {
            headers: Duration::from_secs(5),
            idle: Duration::from_secs(10),
            total: Duration::from_secs(10),
            body_bytes: 1 << 20,
            redirects: 3,
        }
    }
}

impl Limits {
    /// Sets the time until the last byte; that for the headers is lowered to it.
    #[must_use]
    pub fn total(mut self, total: Duration) -> Self {
        self.total = total;
        self.headers = self.headers.min(total);
        self
    }

    /// Sets the time until the headers.
    #[must_use]
    pub const fn headers(mut self, headers: Duration) -> Self {
        self.headers = headers;
        self
    }

    /// Sets the longest wait for the next piece of the body.
    #[must_use]
    pub const fn idle(mut self, idle: Duration) -> Self {
        self.idle = idle;
        self
    }

    /// Sets the body's limit in bytes.
    #[must_use]
    pub const fn body_bytes(mut self, bytes: u64) -> Self {
        self.body_bytes = bytes;
        self
    }

    /// Sets the number of redirects.
    #[must_use]
    pub const fn redirects(mut self, redirects: u8) -> Self {
        self.redirects = redirects;
        self
    }
}

/// What a request carries.
#[derive(Default)]
#[non_exhaustive]
pub enum RequestBody {
    /// Nothing.
    #[default]
    Empty,
    /// Bytes in memory.
    Bytes(Bytes),
    /// Bytes as they come. Their number, where the caller knows it, goes into the `Content-Length` header.
    Stream(BoxStream<'static, io::Result<Bytes>>),
}

impl fmt::Debug for RequestBody {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => formatter.write_str("Empty"),
            Self::Bytes(bytes) => write!(formatter, "Bytes({})", bytes.len()),
            Self::Stream(_) => formatter.write_str("Stream"),
        }
    }
}

/// A request to a target that someone else chose.
///
/// ```
/// use arroba_net::{Limits, Request, Url};
///
/// let url = Url::parse("https://alice.example.com/.well-known/atproto-did").unwrap();
/// let request = Request::get(url).limits(Limits::default().body_bytes(2048));
/// assert_eq!(request.limits.body_bytes, 2048);
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub struct Request {
    /// The method.
    pub method: Method,
    /// The target.
    pub url: Url,
    /// Headers. `Host` is always the URL's; on a redirect to another origin credentials are left out.
    pub headers: HeaderMap,
    /// The body.
    pub body: RequestBody,
    /// What it may cost.
    pub limits: Limits,
    /// Whether a compressed answer is taken apart. If not, it is passed on as it is, and it is the caller who
    /// says in `Accept-Encoding` what is welcome.
    pub decompress: bool,
}

impl Request {
    /// A request with no headers and no body.
    #[must_use]
    pub fn new(method: Method, url: Url) -> Self {
        Self {
            method,
            url,
            headers: HeaderMap::new(),
            body: RequestBody::Empty,
            limits: Limits::default(),
            decompress: true,
        }
    }

    /// A GET request.
    #[must_use]
    pub fn get(url: Url) -> Self {
        Self::new(Method::GET, url)
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.append(name, value);
        self
    }

    /// Sets the body.
    #[must_use]
    pub fn body(mut self, body: RequestBody) -> Self {
        self.body = body;
        self
    }

    /// Sets what it may cost.
    #[must_use]
    pub const fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Asks for the answer's body as it is on the wire.
    #[must_use]
    pub const fn raw(mut self) -> Self {
        self.decompress = false;
        self
    }
}
