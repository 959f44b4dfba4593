//! The library from outside: hosts over real stores, and what their readers see.

#[cfg(test)]
mod it {
    mod commits;
    mod determinism;
    mod export;
    mod firehose;
    mod fixture;
    mod import;
    mod lifecycle;
}
