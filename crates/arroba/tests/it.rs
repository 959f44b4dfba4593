//! The library from outside: hosts over real stores, and what their readers see.

#[cfg(test)]
mod it {
    mod accounts;
    mod app_view;
    #[cfg(feature = "datastore")]
    mod arrivals_on_datastore;
    #[cfg(feature = "datastore")]
    mod beside_python;
    mod crawlers;
    mod duplicates;
    mod embedded_proxying;
    mod embedding;
    mod examples;
    mod fixture;
    mod from_settings;
    mod lexicons;
    mod media;
    mod media_server;
    mod methods;
    mod newest_writes;
    mod on_memory;
    mod on_sqlite;
    mod pds;
    mod proxying;
    mod python_media;
    mod python_names;
    mod python_xrpc_proxy;
    mod remote_blobs;
    #[cfg(feature = "datastore")]
    mod remote_blobs_on_datastore;
    mod server;
    mod stores;
}
