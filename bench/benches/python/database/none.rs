//! What stands in without the feature: values that cannot be.

use std::convert::Infallible;

use anyhow::bail;
use arroba::RepoHost;

use crate::op::Calls;
use crate::python::Peer;

pub(crate) struct Emulated(Infallible);

pub(crate) struct Database(Infallible);

impl Emulated {
    pub(crate) async fn start() -> anyhow::Result<Self> {
        bail!("this was built without the feature `datastore`: build with it, or say --only memory");
    }

    pub(crate) async fn database(&self) -> anyhow::Result<Database> {
        match self.0 {}
    }
}

impl Database {
    pub(crate) fn for_python(&self) -> Peer {
        match self.0 {}
    }

    pub(crate) fn calls(&self) -> Calls {
        match self.0 {}
    }

    pub(crate) async fn open(&mut self) -> anyhow::Result<RepoHost> {
        match self.0 {}
    }

    pub(crate) async fn close(&mut self) {
        match self.0 {}
    }
}
