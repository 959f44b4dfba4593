//! The library from outside: hosts over real stores, and what their readers see.

#[cfg(test)]
mod it {
    mod accounts;
    mod duplicates;
    mod fixture;
    mod methods;
    mod on_memory;
    mod on_sqlite;
    mod pds;
    mod server;
}
