//! Names of the Python library that say what a setting of another name says, or nothing here.

use std::collections::BTreeMap;

use arroba_core::syntax::Did;
use url::Url;

use super::ConfigError;

/// A variable of the Python library, and the settings that it stands for.
pub(super) struct Alias {
    /// The Python library's name.
    pub(super) name: &'static str,
    /// What it takes.
    form: Form,
    /// The settings that it stands for, and what they come to.
    pub(super) settings: &'static [(&'static str, Convert)],
}

/// What a variable takes.
struct Form {
    /// For the example file, where it is not what the setting takes.
    remark: Option<&'static str>,
    /// For a value that is refused.
    expected: &'static str,
}

const HOST: Form = Form { remark: Some("a host name"), expected: "a host name, perhaps with a port" };
const PROJECT: Form = Form { remark: None, expected: "made of letters, digits and - _ . : alone" };

/// Turns the value into what a setting takes; nothing if it has another form.
type Convert = fn(&str) -> Option<String>;

/// In order of precedence: of two that stand for one setting the first one holds.
pub(super) const ALIASES: &[Alias] = &[
    Alias { name: "PDS_HOST", form: HOST, settings: &[("PDS_HOSTNAME", hostname)] },
    Alias { name: "PLC_HOST", form: HOST, settings: &[("PDS_DID_PLC_URL", address)] },
    Alias { name: "RELAY_HOST", form: HOST, settings: &[("PDS_CRAWLERS", address)] },
    Alias { name: "BGS_HOST", form: HOST, settings: &[("PDS_CRAWLERS", address)] },
    Alias {
        name: "APPVIEW_HOST",
        form: HOST,
        settings: &[
            ("PDS_BSKY_APP_VIEW_URL", address),
            ("PDS_BSKY_APP_VIEW_DID", did),
            ("PDS_BSKY_APP_VIEW_CDN_URL_PATTERN", pictures),
        ],
    },
    Alias { name: "DATASTORE_DATASET", form: PROJECT, settings: &[("DATASTORE_PROJECT_ID", project)] },
];

/// Names of the Python library that mean nothing here, each with the reason.
pub(super) const MEANINGLESS: &[(&str, &str)] = &[
    ("PRELOAD_WINDOW", "nothing is loaded before it is asked for"),
    ("REPO_PASSWORD", "each account has a password of its own"),
    ("REPO_DID", "a server has any number of repos"),
    ("REPO_HANDLE", "a server has any number of repos"),
    ("REPO_PRIVKEY", "signing keys are kept in the store"),
];

/// Files of the Python library that stand for a variable which is not set.
pub(super) const FILES: &[(&str, &str)] = &[
    ("REPO_TOKEN", "repo_token"),
    ("GETREPO_TOKEN", "getrepo_token"),
    ("ENCRYPTED_PROPERTY_KEY", "encrypted_property_key"),
];

/// Whether a variable is one of these.
pub(super) fn knows(name: &str) -> bool {
    ALIASES.iter().any(|alias| alias.name == name) || MEANINGLESS.iter().any(|(known, _)| *known == name)
}

/// One line about the other names of a setting, if it has any.
pub(super) fn aliases_of(setting: &str) -> Option<String> {
    let aliases = ALIASES.iter().filter(|alias| alias.settings.iter().any(|(name, _)| *name == setting));
    let names: Vec<_> = aliases.clone().map(|alias| format!("`{}`", alias.name)).collect();
    let form = aliases.clone().find_map(|alias| alias.form.remark).map(|form| format!(", {form},"));
    (!names.is_empty()).then(|| {
        format!("The Python library's {}{} says the same.", names.join(" or "), form.unwrap_or_default())
    })
}

/// Replaces the Python library's names by the settings that they stand for, with a line for each that does not count.
pub(super) fn translate(
    given: &mut BTreeMap<String, String>,
    warnings: &mut Vec<String>,
    errors: &mut Vec<ConfigError>,
) {
    for (name, reason) in MEANINGLESS {
        if given.remove(*name).is_some() {
            warnings.push(format!("{name} has no effect: {reason}"));
        }
    }
    let mut sources: BTreeMap<&str, &str> = BTreeMap::new();
    for Alias { name, form, settings } in ALIASES {
        let Some(value) = given.remove(*name) else { continue };
        for (setting, convert) in *settings {
            match convert(&value) {
                None => {
                    errors.push(ConfigError::Value { name, expected: form.expected });
                    break;
                }
                Some(_) if given.contains_key(*setting) => {
                    let first = sources.get(setting).unwrap_or(setting);
                    warnings.push(format!("{name} is not used: {first} says the same, and it comes first"));
                }
                Some(converted) => {
                    sources.insert(setting, name);
                    given.insert((*setting).to_owned(), converted);
                }
            }
        }
    }
}

/// The name of a project or of a database in Google's cloud.
pub(super) fn is_cloud_name(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.:".contains(&byte))
}

fn project(text: &str) -> Option<String> {
    is_cloud_name(text).then(|| text.to_owned())
}

/// A host name, perhaps with a port.
fn hostname(text: &str) -> Option<String> {
    let url = Url::parse(&format!("https://{text}")).ok()?;
    let plain = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
    let plain = plain && url.username().is_empty() && url.password().is_none() && !text.ends_with('/');
    (plain && url.host_str().is_some()).then(|| text.to_owned())
}

fn address(host: &str) -> Option<String> {
    hostname(host).map(|host| format!("https://{host}"))
}

/// The library takes its app view for Bluesky's.
fn pictures(host: &str) -> Option<String> {
    hostname(host).map(|_| "https://cdn.bsky.app/img/%s/plain/%s/%s@jpeg".to_owned())
}

fn did(host: &str) -> Option<String> {
    let did = format!("did:web:{}", hostname(host)?.replace(':', "%3A"));
    Did::parse(&did).ok().map(|did| did.to_string())
}
