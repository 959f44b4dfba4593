//! Integration tests of the guarded client, against servers on loopback.

#[cfg(test)]
mod it {
    mod dns;
    mod guard;
    mod limits;
    mod server;
}
