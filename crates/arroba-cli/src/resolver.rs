//! The resolver of a command that asks about other people's identities.

use anyhow::Context;
use arroba_identity::{Resolver, plc::DirectoryClient};
use arroba_net::{Dns, Guard, GuardedClient, SystemDns};
use std::sync::Arc;

pub(crate) fn resolver(plc: &str, guard: Guard) -> anyhow::Result<Resolver> {
    let directory = DirectoryClient::new(plc).with_context(|| format!("the PLC directory {plc}"))?;
    let dns: Arc<dyn Dns> = Arc::new(SystemDns::new().context("reading the system's name servers")?);
    let client = GuardedClient::new(guard, Arc::clone(&dns))?;
    Ok(Resolver::builder(Arc::new(directory), client, dns).build())
}
