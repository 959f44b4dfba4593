//! Integration tests of identities.

#[cfg(test)]
mod it {
    mod changes;
    mod directory;
    mod directory_client;
    mod documents;
    mod fixtures;
    mod handles;
    mod lexicon_gathering;
    mod lexicons;
    mod parsers;
    mod plc_log;
    mod publisher;
    mod python_did;
    mod python_reads_ours;
    mod python_util;
    mod resolver;
    mod support;
}
