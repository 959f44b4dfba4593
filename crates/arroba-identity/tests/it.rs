//! Integration tests of identities.

#[cfg(test)]
mod it {
    mod directory;
    mod directory_client;
    mod documents;
    mod fixtures;
    mod handles;
    mod parsers;
    mod plc_log;
    mod resolver;
    mod support;
}
