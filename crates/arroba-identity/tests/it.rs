//! Integration tests of identities.

#[cfg(test)]
mod it {
    mod fixtures;
    mod plc_log;
}
