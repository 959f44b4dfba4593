//! The crate over HTTP, in process and on loopback.

#[cfg(test)]
mod it {
    mod calls;
    mod endpoints;
    mod methods;
    mod proxying;
    mod subscriptions;
    mod upstream;
}
