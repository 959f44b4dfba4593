//! Integration tests of identities.

#[cfg(test)]
mod it {
    mod directory;
    mod directory_client;
    mod documents;
    mod fixtures;
    mod plc_log;
    mod support;
}
