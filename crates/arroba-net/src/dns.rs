use async_trait::async_trait;
use hickory_resolver::{
    TokioResolver,
    config::{LookupIpStrategy, NameServerConfig, ResolverConfig},
    net::{NetError, runtime::TokioRuntimeProvider},
    proto::rr::RData,
};
use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};
use thiserror::Error;

/// Why a name did not resolve.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum DnsError {
    /// The name does not exist, or has no record of the kind.
    #[error("no such name or record")]
    NotFound,
    /// No answer, or a bad one; another attempt may succeed.
    #[error("lookup failed")]
    Failed(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// Name resolution, as an object so that tests bring their own.
///
/// # Contract
/// 1. Names are absolute: no search domain is ever appended.
/// 2. Every call ends within seconds.
#[async_trait]
pub trait Dns: Send + Sync + fmt::Debug {
    /// The addresses of a host, of either family.
    async fn addresses(&self, host: &str) -> Result<Vec<IpAddr>, DnsError>;

    /// The TXT records of a name: the character strings of each record joined, as UTF-8; others are left out.
    async fn txt(&self, name: &str) -> Result<Vec<String>, DnsError>;
}

/// The name servers that the system is configured with, or ones given.
pub struct SystemDns {
    resolver: TokioResolver,
}

impl SystemDns {
    /// Reads the system's configuration.
    ///
    /// # Errors
    /// [`DnsError::Failed`] when there is none that can be read.
    pub fn new() -> Result<Self, DnsError> {
        Self::build(TokioResolver::builder_tokio().map_err(failed)?)
    }

    /// Asks these servers, over UDP and TCP; their port is 53 as a rule.
    ///
    /// # Errors
    /// [`DnsError::Failed`] when the resolver cannot be set up.
    pub fn with_servers(servers: impl IntoIterator<Item = SocketAddr>) -> Result<Self, DnsError> {
        let config = |server: SocketAddr| {
            let mut config = NameServerConfig::udp_and_tcp(server.ip());
            for connection in &mut config.connections {
                connection.port = server.port();
            }
            config
        };
        let servers = servers.into_iter().map(config).collect();
        let config = ResolverConfig::from_name_servers(servers);
        Self::build(TokioResolver::builder_with_config(config, TokioRuntimeProvider::default()))
    }

    fn build(mut builder: hickory_resolver::ResolverBuilder<TokioRuntimeProvider>) -> Result<Self, DnsError> {
        let options = builder.options_mut();
        options.timeout = Duration::from_secs(2);
        options.attempts = 1;
        options.ip_strategy = LookupIpStrategy::Ipv4AndIpv6;
        // An owner's change must not wait for a day because of a record's own lifetime.
        options.positive_max_ttl = Some(Duration::from_secs(600));
        options.negative_max_ttl = Some(Duration::from_secs(60));
        Ok(Self { resolver: builder.build().map_err(failed)? })
    }
}

impl fmt::Debug for SystemDns {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("SystemDns")
    }
}

#[async_trait]
impl Dns for SystemDns {
    async fn addresses(&self, host: &str) -> Result<Vec<IpAddr>, DnsError> {
        let host = host.trim_end_matches('.');
        // RFC 6761: these names never leave the machine.
        if host == "localhost" || host.ends_with(".localhost") {
            return Ok(vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()]);
        }
        let addresses: Vec<IpAddr> =
            self.resolver.lookup_ip(format!("{host}.")).await.map_err(lookup_error)?.iter().collect();
        if addresses.is_empty() { Err(DnsError::NotFound) } else { Ok(addresses) }
    }

    async fn txt(&self, name: &str) -> Result<Vec<String>, DnsError> {
        let name = format!("{}.", name.trim_end_matches('.'));
        let lookup = self.resolver.txt_lookup(name).await.map_err(lookup_error)?;
        let texts: Vec<String> = lookup
            .answers()
            .iter()
            .filter_map(|record| match &record.data {
                RData::TXT(txt) => String::from_utf8(txt.txt_data.concat()).ok(),
                _ => None,
            })
            .collect();
        if texts.is_empty() { Err(DnsError::NotFound) } else { Ok(texts) }
    }
}

/// Name servers, and others to ask for TXT records that the first have not given.
///
/// An owner may have set a record that the usual server does not know yet.
#[derive(Debug)]
pub struct BackupDns {
    first: Arc<dyn Dns>,
    backup: Arc<dyn Dns>,
}

impl BackupDns {
    /// Asks `first`, then `backup`. Addresses come from `first` alone.
    #[must_use]
    pub fn new(first: Arc<dyn Dns>, backup: Arc<dyn Dns>) -> Self {
        Self { first, backup }
    }
}

#[async_trait]
impl Dns for BackupDns {
    async fn addresses(&self, host: &str) -> Result<Vec<IpAddr>, DnsError> {
        self.first.addresses(host).await
    }

    async fn txt(&self, name: &str) -> Result<Vec<String>, DnsError> {
        match self.first.txt(name).await {
            Ok(texts) => Ok(texts),
            // Without another word from the backup the first answer stands.
            Err(first) => self.backup.txt(name).await.map_err(|_| first),
        }
    }
}

fn failed(error: NetError) -> DnsError {
    DnsError::Failed(Box::new(error))
}

fn lookup_error(error: NetError) -> DnsError {
    // Servers that fail or refuse also give "no records"; only these two say that there is none.
    if error.is_nx_domain() || error.is_no_records_found() { DnsError::NotFound } else { failed(error) }
}
