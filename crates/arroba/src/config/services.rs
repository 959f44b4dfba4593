//! The services that requests are forwarded to, as the settings name them.

use arroba_core::syntax::{Did, DidService};
use arroba_xrpc::ProxyLimits;
use url::Url;

use super::Config;
use crate::proxy::{Proxy, ProxyBuilder, ProxyService};

const LABELER: &str = "atproto_labeler";

impl Config {
    /// The services by the prefixes of their methods, as the reference server has them: moderation's tools, reports, and
    /// everything else to the app view.
    pub fn services(&self) -> Vec<(&'static str, ProxyService)> {
        let labeler = |url: &Option<Url>, did: &Option<Did>| {
            // A DID and a plain word are a service.
            let service = DidService::new(did.as_ref()?, LABELER).ok()?;
            Some(ProxyService::new(url.clone()?, service))
        };
        let app_view = self.app_view_url.clone().zip(self.app_view_did.as_ref());
        let app_view = app_view.map(|(url, did)| {
            let service = ProxyService::app_view(url, did);
            match &self.app_view_pictures {
                Some(pattern) => service.pictures(pattern),
                None => service,
            }
        });
        let moderation = labeler(&self.mod_service_url, &self.mod_service_did);
        let reports = labeler(&self.report_service_url, &self.report_service_did);
        let reports = reports.or_else(|| moderation.clone());
        let named =
            [("", app_view), ("tools.ozone", moderation), ("com.atproto.moderation.createReport", reports)];
        named.into_iter().filter_map(|(prefix, service)| Some((prefix, service?))).collect()
    }

    /// The forwarding of calls to these services, within these limits.
    pub fn proxy(&self) -> ProxyBuilder {
        let proxy = Proxy::builder().limits(self.proxy_limits());
        self.services().into_iter().fold(proxy, |proxy, (prefix, service)| proxy.proxy(prefix, service))
    }

    /// What a forwarded request may cost.
    pub fn proxy_limits(&self) -> ProxyLimits {
        let mut limits = ProxyLimits::default();
        limits.headers = self.proxy_headers_timeout;
        limits.idle = self.proxy_body_timeout;
        limits.response_bytes = self.proxy_max_response_size;
        limits.retries = self.proxy_max_retries;
        limits
    }

    /// One line for each service that is named by half.
    pub(super) fn half_named_services(&self) -> Vec<String> {
        let halves = [
            (self.app_view_url.is_some(), self.app_view_did.is_some(), "BSKY_APP_VIEW"),
            (self.mod_service_url.is_some(), self.mod_service_did.is_some(), "MOD_SERVICE"),
            (self.report_service_url.is_some(), self.report_service_did.is_some(), "REPORT_SERVICE"),
        ];
        let halves = halves.into_iter().filter(|(url, did, _)| url != did);
        halves
            .map(|(_, _, name)| {
                format!("PDS_{name}_URL and PDS_{name}_DID have no effect without each other")
            })
            .collect()
    }
}
