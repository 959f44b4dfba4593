//! The crate over HTTP, in process and on loopback.

#[cfg(test)]
mod it {
    mod endpoints;
    mod methods;
    mod subscriptions;
}
