//! A small client for the operator's own server.

use anyhow::{Context, bail};
use reqwest::{Client, Response, StatusCode};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;
use std::time::Duration;
use url::Url;

/// Speaks XRPC to one server, as its administrator where a method wants that.
#[derive(Debug, Clone)]
pub(crate) struct Api {
    base: Url,
    client: Client,
    admin_password: String,
}

#[derive(Deserialize)]
struct ErrorBody {
    error: String,
    message: Option<String>,
}

impl Api {
    pub(crate) fn new(base: Url, admin_password: String) -> anyhow::Result<Self> {
        // The target is the operator's own server, so this is a plain client; a limit on the whole keeps scripts from hanging.
        let client = Client::builder().timeout(Duration::from_secs(120)).build()?;
        Ok(Self { base, client, admin_password })
    }

    /// Whether a server answers there.
    pub(crate) async fn is_up(&self) -> anyhow::Result<bool> {
        let health = self.base.join("xrpc/_health")?;
        match self.client.get(health).timeout(Duration::from_secs(5)).send().await {
            Ok(response) => Ok(response.status().is_success()),
            Err(error) if error.is_connect() => Ok(false),
            Err(error) => Err(error).context(format!("asking {} for its health", self.base)),
        }
    }

    pub(crate) async fn query<T: DeserializeOwned>(
        &self,
        method: &str,
        params: &[(&str, &str)],
    ) -> anyhow::Result<T> {
        let mut url = self.method(method)?;
        if !params.is_empty() {
            url.query_pairs_mut().extend_pairs(params);
        }
        let request = self.client.get(url).basic_auth("admin", Some(&self.admin_password));
        Ok(answer(method, request.send().await).await?.json().await?)
    }

    /// Calls a procedure as anybody.
    pub(crate) async fn call<T: DeserializeOwned>(&self, method: &str, input: &Value) -> anyhow::Result<T> {
        let request = self.client.post(self.method(method)?).json(input);
        Ok(answer(method, request.send().await).await?.json().await?)
    }

    /// Calls a procedure as the administrator; the answer may be empty.
    pub(crate) async fn call_as_admin(&self, method: &str, input: &Value) -> anyhow::Result<Option<Value>> {
        let request = self
            .client
            .post(self.method(method)?)
            .basic_auth("admin", Some(&self.admin_password))
            .json(input);
        let body = answer(method, request.send().await).await?.bytes().await?;
        Ok(if body.is_empty() { None } else { Some(serde_json::from_slice(&body)?) })
    }

    fn method(&self, method: &str) -> anyhow::Result<Url> {
        Ok(self.base.join(&format!("xrpc/{method}"))?)
    }
}

async fn answer(method: &str, response: reqwest::Result<Response>) -> anyhow::Result<Response> {
    let response = response.with_context(|| format!("calling {method}"))?;
    let status = response.status();
    if status.is_success() {
        return Ok(response);
    }
    let text = response.text().await.unwrap_or_default();
    let Ok(body) = serde_json::from_str::<ErrorBody>(&text) else {
        bail!("{method} answered {status}");
    };
    if status == StatusCode::UNAUTHORIZED && body.error == "AuthenticationRequired" {
        bail!("the server does not accept this admin password");
    }
    bail!("{method} answered {}: {}", body.error, body.message.unwrap_or_default());
}
