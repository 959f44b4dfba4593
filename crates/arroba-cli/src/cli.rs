//! What the command line takes.

use clap::{Args, Parser, Subcommand, ValueEnum};
use std::path::PathBuf;

/// Run an AT Protocol Personal Data Server, and look after its accounts and repositories.
#[derive(Debug, Parser)]
#[command(name = "arroba", version, propagate_version = true, max_term_width = 100)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run a server on localhost with its own PLC directory and a demo account. Needs no internet.
    Dev(Dev),
    /// Run a server, configured by environment variables or a TOML file.
    Serve(Serve),
    /// Create, list and delete accounts.
    #[command(subcommand)]
    Account(Account),
    /// Look into repositories: CAR files, or the store of a server.
    #[command(subcommand)]
    Repo(Repo),
    /// Follow the event stream of a server.
    #[command(subcommand)]
    Firehose(Firehose),
    /// Resolve DIDs and handles.
    #[command(subcommand)]
    Identity(Identity),
    /// Speak to relays.
    #[command(subcommand)]
    Relay(Relay),
    /// Make keys.
    #[command(subcommand)]
    Key(Key),
}

#[derive(Debug, Args)]
pub(crate) struct Dev {
    /// Port of the server; 0 picks a free one.
    #[arg(long, default_value_t = 2583)]
    pub(crate) port: u16,
    /// Port of the PLC directory; 0 picks a free one.
    #[arg(long, default_value_t = 2582)]
    pub(crate) plc_port: u16,
    /// Where the demo server keeps its data. Without it everything lives in a temporary folder that goes when the server stops.
    #[arg(long, value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct Serve {
    /// Read the configuration from this TOML file; variables of the environment win over it.
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Check the configuration, say what it means, and stop.
    #[arg(long)]
    pub(crate) check: bool,
    /// Print every setting with its meaning and default, as a file of environment variables, and stop.
    #[arg(long, conflicts_with_all = ["config", "check"])]
    pub(crate) example: bool,
}

/// The server an account command speaks to.
#[derive(Debug, Args)]
pub(crate) struct Admin {
    /// Configuration of the server, as for `serve`; the environment is read too.
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Address of the running server. Default: this machine, at the configured port; if nothing listens there the store is opened here.
    #[arg(long, value_name = "URL")]
    pub(crate) server: Option<String>,
    /// The admin password, when the configuration does not hold it.
    #[arg(long, env = "PDS_ADMIN_PASSWORD", hide_env_values = true)]
    pub(crate) admin_password: Option<String>,
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Account {
    /// Create an account. Prints its DID, handle and password.
    Create {
        /// The handle, below one of the server's handle domains.
        handle: String,
        /// E-mail address of the account.
        #[arg(long)]
        email: String,
        /// The password; without it one is made up and printed once.
        #[arg(long)]
        password: Option<String>,
        #[command(flatten)]
        admin: Admin,
    },
    /// List all accounts.
    List {
        #[command(flatten)]
        admin: Admin,
    },
    /// Delete an account and everything it holds. There is no way back.
    Delete {
        /// DID or handle of the account.
        account: String,
        /// Do not ask.
        #[arg(long)]
        yes: bool,
        #[command(flatten)]
        admin: Admin,
    },
}

/// Where a repository is read from: a CAR file, the store of a server, or a server that runs.
#[derive(Debug, Args)]
pub(crate) struct Source {
    /// A CAR file; with `--data` or `--server`, the DID of a repository there.
    #[arg(value_name = "CAR|DID")]
    pub(crate) source: String,
    /// Read from the data directory of a server that does not run (it holds `pds.sqlite`).
    #[arg(long, value_name = "DIR", conflicts_with = "server")]
    pub(crate) data: Option<PathBuf>,
    /// Read from this server.
    #[arg(long, value_name = "URL")]
    pub(crate) server: Option<String>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Repo {
    /// Check a whole repository: hashes, tree, records, commit, and with `--key` its signature.
    Verify {
        #[command(flatten)]
        source: Source,
        /// The account's signing key, as did:key. Without it the signature is not checked.
        #[arg(long, value_name = "DID:KEY")]
        key: Option<String>,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// List the records in order: path and CID, one a line.
    Ls {
        #[command(flatten)]
        source: Source,
        /// Only this collection.
        #[arg(long, value_name = "NSID")]
        collection: Option<String>,
        /// Print JSON, one record a line.
        #[arg(long)]
        json: bool,
    },
    /// Print one record as JSON.
    Get {
        #[command(flatten)]
        source: Source,
        /// `collection/rkey`.
        path: String,
    },
    /// Write a repository to a CAR file.
    Export {
        #[command(flatten)]
        source: Source,
        /// The file to write; it must not exist.
        file: PathBuf,
    },
    /// Replace an account's repository by the one in a CAR file, signed anew with the account's key. The server must not run.
    Import {
        /// DID of the account, which exists on the server.
        did: String,
        /// The CAR file.
        file: PathBuf,
        /// Configuration of the server, as for `serve`; the environment is read too.
        #[arg(long, value_name = "FILE")]
        config: Option<PathBuf>,
    },
    /// Draw the tree of a repository.
    Tree {
        #[command(flatten)]
        source: Source,
        /// The picture's format.
        #[arg(long, value_enum, default_value_t = Picture::Text)]
        format: Picture,
    },
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Picture {
    /// Indented text.
    Text,
    /// GraphViz.
    Dot,
    /// SVG.
    Svg,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Firehose {
    /// Print events as they come.
    Tail {
        /// The server, as `http://localhost:2583` or `wss://example.com`.
        server: String,
        /// Start after this sequence number; without it, at the present.
        #[arg(long)]
        cursor: Option<u64>,
        /// Verify every commit: signature, operations, inversion. Stops at the first that fails.
        #[arg(long)]
        verify: bool,
        /// The PLC directory for `--verify`.
        #[arg(long, value_name = "URL", env = "PDS_DID_PLC_URL", default_value = "https://plc.directory")]
        plc: String,
        /// Stop after this many events.
        #[arg(long)]
        count: Option<u64>,
        /// Print JSON, one event a line.
        #[arg(long)]
        json: bool,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Identity {
    /// Resolve a DID or handle, and check that both sides agree.
    Resolve {
        /// A DID or a handle.
        identifier: String,
        /// The PLC directory.
        #[arg(long, value_name = "URL", env = "PDS_DID_PLC_URL", default_value = "https://plc.directory")]
        plc: String,
        /// Print JSON.
        #[arg(long)]
        json: bool,
        /// Allow `http` and addresses of this machine: for development only.
        #[arg(long)]
        allow_loopback: bool,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Relay {
    /// Ask relays to come and read. The server does so by itself when there is something new; this is for who does not want
    /// to wait.
    RequestCrawl {
        /// The relays; those of the configuration if none is named.
        #[arg(value_name = "URL")]
        relays: Vec<String>,
        /// The host to read; without it, that of the configuration.
        #[arg(long)]
        hostname: Option<String>,
        /// Configuration of the server, as for `serve`; the environment is read too.
        #[arg(long, value_name = "FILE")]
        config: Option<PathBuf>,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Key {
    /// Make a new private key and print it with its did:key.
    New {
        /// The curve.
        #[arg(long, value_enum, default_value_t = CurveName::K256)]
        curve: CurveName,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum CurveName {
    /// secp256k1, the default of the network.
    K256,
    /// NIST P-256.
    P256,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_command_explains_itself() {
        fn check(command: &clap::Command) {
            assert!(command.get_about().is_some(), "{} says nothing about itself", command.get_name());
            for argument in
                command.get_arguments().filter(|a| !["help", "version"].contains(&a.get_id().as_str()))
            {
                assert!(argument.get_help().is_some(), "{} of {}", argument.get_id(), command.get_name());
            }
            command.get_subcommands().filter(|c| c.get_name() != "help").for_each(check);
        }
        check(&Cli::command());
    }
}
