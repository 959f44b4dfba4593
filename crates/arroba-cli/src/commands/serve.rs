//! `arroba serve`.

use crate::{cli::Serve, configuration, listener, logging, output};
use anyhow::Context;
use arroba::{Pds, config::Config, core::lexicon::Unknown};
use std::{path::Path, process::ExitCode};

pub(crate) async fn run(options: &Serve) -> anyhow::Result<ExitCode> {
    if options.example {
        output::line(Config::example().trim_end())?;
        return Ok(ExitCode::SUCCESS);
    }
    let loaded = configuration::load(options.config.as_deref())?;
    for warning in &loaded.warnings {
        output::notice(&format!("warning: {warning}"));
    }
    let config = loaded.config;
    if options.check {
        explain(&config)?;
        return Ok(ExitCode::SUCCESS);
    }
    if config.log_enabled {
        logging::start();
    }
    serve(&config).await?;
    Ok(ExitCode::SUCCESS)
}

async fn serve(config: &Config) -> anyhow::Result<()> {
    // The port first: a second server must not touch the data of the first.
    let listener = listener::everywhere(config.port).await?;
    let pds = Pds::from_config(config).await?.build().await.context("starting the server")?;
    let metrics = match config.metrics_address {
        Some(address) => {
            let serving = pds.metrics_listener(address).await;
            Some(tokio::spawn(serving.with_context(|| format!("listening for Prometheus on {address}"))?))
        }
        None => None,
    };
    output::notice(&format!("serving {} on port {}", config.public_url(), listener.local_addr()?.port()));
    let served = pds.serve_on(listener, arroba::stop_signal()).await;
    if let Some(metrics) = metrics {
        metrics.abort();
    }
    Ok(served?)
}

fn explain(config: &Config) -> anyhow::Result<()> {
    let on = |on: bool| if on { "yes" } else { "no" };
    let crawlers: Vec<_> = config.crawlers.iter().map(ToString::to_string).collect();
    let metrics = config.metrics_address.map_or_else(|| "nowhere".into(), |address| address.to_string());
    let collections: Vec<_> = config.supported_collections.iter().map(ToString::to_string).collect();
    let app_view = match (&config.app_view_url, &config.app_view_did) {
        (Some(url), Some(did)) => format!("{url} ({did})"),
        _ => "none".into(),
    };
    let exports = match (config.disable_getrepo, &config.getrepo_token) {
        (false, _) => "everybody",
        (true, None) => "everybody in a repo's first 12 hours",
        (true, Some(_)) => "everybody in a repo's first 12 hours, then by token",
    };
    let place = |path: Option<&Path>| path.map_or_else(|| "none".into(), |path| path.display().to_string());
    for (name, value) in [
        ("public address", config.public_url()),
        ("port", config.port.to_string()),
        ("data", place(config.data_directory.as_deref())),
        ("blobs", place(config.blob_location().as_deref())),
        ("handle domains", config.service_handle_domains().join(" ")),
        ("PLC directory", config.plc_url.to_string()),
        ("relays", if crawlers.is_empty() { "none".into() } else { crawlers.join(" ") }),
        ("invite codes", on(config.invite_required).into()),
        ("rate limits", on(config.rate_limits_enabled).into()),
        ("imports", on(config.accepting_repo_imports).into()),
        ("largest blob", format!("{} bytes", config.blob_upload_limit)),
        ("largest import", format!("{} bytes", config.max_repo_import_size)),
        ("app view", app_view),
        ("static token", on(config.repo_token.is_some()).into()),
        ("collections", if collections.is_empty() { "all".into() } else { collections.join(" ") }),
        ("unknown lexicons", unknown_lexicons(config)),
        ("exports", exports.into()),
        ("loopback allowed", on(config.allows_loopback()).into()),
        ("metrics", metrics),
        ("log", on(config.log_enabled).into()),
    ] {
        output::line(format!("{name:<17} {value}"))?;
    }
    Ok(())
}

fn unknown_lexicons(config: &Config) -> String {
    let fate = match config.unknown_lexicons {
        Unknown::Allow => "allowed",
        Unknown::Refuse => "refused",
    };
    match config.resolve_lexicons {
        true => format!("{fate}, if they are not found within {} ms", config.lexicon_wait.as_millis()),
        false => fate.into(),
    }
}
