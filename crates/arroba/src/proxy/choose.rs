//! Where a call goes: what its header names, or what the operator has named for its method.

use arroba_core::syntax::{Did, DidService, Nsid};
use arroba_xrpc::{Forwarder, Result, XrpcError};
use http::HeaderMap;
use url::Url;

use super::{Inner, ProxyService};

/// The header by which a caller names a service.
pub(super) const PROXY: &str = "atproto-proxy";

/// What a call is for, before anybody was asked where that is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Choice<'a> {
    /// Known to the operator, who says where it is.
    Configured(&'a ProxyService, DidService),
    /// The caller's word.
    Named(DidService),
}

/// A service with its address.
pub(super) struct Target<'a> {
    pub(super) url: Url,
    pub(super) did: Did,
    pub(super) service: DidService,
    pub(super) pictures: Option<&'a str>,
    pub(super) forwarder: &'a Forwarder,
}

impl Choice<'_> {
    /// The service.
    pub(super) const fn service(&self) -> &DidService {
        match self {
            Self::Configured(_, service) | Self::Named(service) => service,
        }
    }
}

impl Inner {
    /// Where a call of `method` goes; nowhere if it is this server's own business or nobody was named.
    pub(super) fn choose(&self, method: &Nsid, headers: &HeaderMap) -> Result<Option<Choice<'_>>> {
        if under(method, "com.atproto.server") {
            return Ok(None);
        }
        if let Some(named) = named(headers)? {
            let mut known = self.services.iter().filter(|(_, service)| service.service == named);
            return Ok(Some(match known.next() {
                Some((_, service)) => Choice::Configured(service, named),
                None => Choice::Named(named),
            }));
        }
        // Of these the server serves all that it will: another one's answer would be about another server.
        const OWN: [&str; 3] = ["com.atproto.admin", "com.atproto.repo", "com.atproto.sync"];
        if OWN.iter().any(|own| under(method, own)) {
            return Ok(None);
        }
        let service = self.services.iter().find(|(prefix, _)| under(method, prefix));
        Ok(service.map(|(_, service)| Choice::Configured(service, service.service.clone())))
    }

    /// The address of what was chosen.
    pub(super) async fn locate<'a>(&'a self, choice: Choice<'a>) -> Result<Target<'a>> {
        let target = match choice {
            Choice::Configured(known, service) => Target {
                url: known.url.clone(),
                did: service.did(),
                service,
                pictures: known.pictures.as_deref(),
                forwarder: &self.configured,
            },
            Choice::Named(service) => {
                let did = service.did();
                let url = self.resolve(&did, service.id()).await?;
                Target { url, did, service, pictures: None, forwarder: &self.chosen }
            }
        };
        // A call that came back to where it is would come back for ever.
        if Url::parse(self.host.public_url()).is_ok_and(|own| own.origin() == target.url.origin()) {
            return Err(XrpcError::invalid_request("cannot proxy to this server itself"));
        }
        Ok(target)
    }

    async fn resolve(&self, did: &Did, id: &str) -> Result<Url> {
        let document =
            self.host.resolver().resolve_did(did).await.map_err(|error| match error.is_definite() {
                true => XrpcError::invalid_request("could not resolve proxy did").with_cause(error),
                false => XrpcError::upstream_failure(error),
            })?;
        let url = document.service(id, None);
        url.ok_or_else(|| XrpcError::invalid_request("could not resolve proxy did service url"))
    }
}

/// Whether a method is `prefix` or lies under it.
fn under(method: &Nsid, prefix: &str) -> bool {
    let name = method.as_str();
    let head = name.get(..prefix.len()).unwrap_or_default();
    head.eq_ignore_ascii_case(prefix)
        && (prefix.is_empty() || matches!(name.as_bytes().get(prefix.len()), None | Some(b'.')))
}

/// The service that the `atproto-proxy` header names.
fn named(headers: &HeaderMap) -> Result<Option<DidService>> {
    let refuse = |message| Err(XrpcError::invalid_request(message));
    let mut values = headers.get_all(PROXY).iter();
    let Some(value) = values.next() else { return Ok(None) };
    let (Ok(text), None) = (value.to_str(), values.next()) else {
        return refuse("invalid proxy header format");
    };
    if text.contains([' ', '\t']) {
        return refuse("proxy header cannot contain spaces");
    }
    match text.split_once('#') {
        Some(("", _)) => refuse("no did specified in proxy header"),
        None | Some((_, "")) => refuse("no service id specified in proxy header"),
        Some((did, _)) if Did::parse(did).is_err() => refuse("could not resolve proxy did"),
        Some(_) => match DidService::parse(text) {
            Ok(service) => Ok(Some(service)),
            Err(_) => refuse("invalid proxy header format"),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(value: &str) -> Result<Option<String>, String> {
        let mut headers = HeaderMap::new();
        headers.insert("atproto-proxy", value.parse().unwrap());
        let named = named(&headers).map_err(|error| error.message().to_owned());
        named.map(|named| named.map(|service| service.to_string()))
    }

    #[test]
    fn headers() {
        let good = Ok(Some("did:web:a.test#bsky_appview".to_owned()));
        assert_eq!(read("did:web:a.test#bsky_appview"), good);
        assert_eq!(named(&HeaderMap::new()).unwrap(), None);
        for (header, message) in [
            ("", "no service id specified in proxy header"),
            ("did:web:a.test", "no service id specified in proxy header"),
            ("did:web:a.test#", "no service id specified in proxy header"),
            ("#a", "no did specified in proxy header"),
            ("did:web:a.test#a#b", "invalid proxy header format"),
            ("did:web:a.test #a", "proxy header cannot contain spaces"),
            ("a.test#a", "could not resolve proxy did"),
            ("did:web:a.test/x#a", "could not resolve proxy did"),
        ] {
            assert_eq!(read(header), Err(message.to_owned()), "{header}");
        }
        let mut twice = HeaderMap::new();
        twice.append("atproto-proxy", "did:web:a.test#a".parse().unwrap());
        twice.append("atproto-proxy", "did:web:b.test#a".parse().unwrap());
        assert_eq!(named(&twice).unwrap_err().message(), "invalid proxy header format");
    }

    #[test]
    fn prefixes_end_at_dots() {
        let method = Nsid::parse("app.bsky.feed.getTimeline").unwrap();
        for prefix in ["", "app", "app.bsky", "App.Bsky", "app.bsky.feed.getTimeline"] {
            assert!(under(&method, prefix), "{prefix}");
        }
        for prefix in ["app.bsk", "app.bsky.", "app.bsky.feed.getTimelineV2", "chat.bsky"] {
            assert!(!under(&method, prefix), "{prefix}");
        }
    }
}
