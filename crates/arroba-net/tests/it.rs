//! Integration tests of the guarded client, against servers on loopback.

#[cfg(test)]
mod it {
    mod guard;
    mod limits;
    mod server;
}
