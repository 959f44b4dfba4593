//! `/` and `/robots.txt`

const BANNER: &str = "\
arroba

This is an AT Protocol Personal Data Server (aka, an atproto PDS)

Most API routes are under /xrpc/

  Protocol: https://atproto.com
";

const ROBOTS: &str = "# Hello!\n\n# Crawling the public API is allowed\nUser-agent: *\nAllow: /\n";

pub(crate) async fn root() -> &'static str {
    BANNER
}

pub(crate) async fn robots() -> &'static str {
    ROBOTS
}
