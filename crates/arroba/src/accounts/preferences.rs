//! Private preferences of the app, of which the server knows two: who may see the personal details, and what age
//! follows from them.

use arroba_core::syntax::Did;
use arroba_lexicons::json::RawJson;
use arroba_store::accounts::Preference;
use arroba_xrpc::{Result, XrpcError};
use serde::Deserialize;
use serde_json::json;
use serde_json::value::RawValue;

use super::{Logins, account_failed};
use crate::session::Access;

const NAMESPACE: &str = "app.bsky";
const PERSONAL_DETAILS: &str = "app.bsky.actor.defs#personalDetailsPref";
/// Computed when read, never stored.
const DECLARED_AGE: &str = "app.bsky.actor.defs#declaredAgePref";

#[derive(Deserialize)]
struct Typed {
    #[serde(rename = "$type")]
    r#type: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PersonalDetails {
    birth_date: Option<String>,
}

impl Logins {
    /// The preferences that a login with this access may see.
    pub(crate) async fn preferences(&self, did: &Did, access: Access) -> Result<Vec<RawJson>> {
        let stored = self.0.accounts.preferences(did).await.map_err(account_failed)?;
        let full = matches!(access, Access::Full | Access::Takendown);
        let mut shown = Vec::with_capacity(stored.len());
        let mut age = None;
        for preference in stored {
            if preference.r#type == PERSONAL_DETAILS {
                age = declared_age(&preference.json, self.now_micros());
                if !full {
                    continue;
                }
            }
            shown.push(RawValue::from_string(preference.json).map_err(XrpcError::internal)?);
        }
        shown.extend(age);
        Ok(shown)
    }

    /// Replaces the preferences. A login that does not see the personal details does not touch them either.
    pub(crate) async fn put_preferences(&self, did: &Did, access: Access, given: Vec<RawJson>) -> Result<()> {
        let mut preferences = Vec::with_capacity(given.len());
        for value in given {
            let json: String = Box::<str>::from(value).into();
            let typed: Typed = serde_json::from_str(&json).map_err(|error| {
                XrpcError::invalid_request("Preference is not an object").with_cause(error)
            })?;
            let r#type =
                typed.r#type.ok_or_else(|| XrpcError::invalid_request("Preference is missing a $type"))?;
            if r#type != NAMESPACE && !r#type.starts_with("app.bsky.") {
                let message = format!("Some preferences are not in the {NAMESPACE} namespace");
                return Err(XrpcError::invalid_request(message));
            }
            if r#type == PERSONAL_DETAILS && access != Access::Full {
                return Err(XrpcError::invalid_request("Do not have authorization to set preferences."));
            }
            if r#type != DECLARED_AGE {
                preferences.push(Preference { r#type, json });
            }
        }
        if access != Access::Full {
            let stored = self.0.accounts.preferences(did).await.map_err(account_failed)?;
            preferences.extend(stored.into_iter().filter(|stored| stored.r#type == PERSONAL_DETAILS));
        }
        self.0.accounts.put_preferences(did, preferences).await.map_err(account_failed)
    }
}

/// Which ages a birth date reaches, without the date itself.
fn declared_age(json: &str, now_micros: u64) -> Option<RawJson> {
    let details: PersonalDetails = serde_json::from_str(json).ok()?;
    let born = day(details.birth_date.as_deref()?)?;
    let today = crate::environment::datetime(now_micros);
    let today = day(today.as_str())?;
    let years = today.0 - born.0 - i32::from((today.1, today.2) < (born.1, born.2));
    let value = json!({
        "$type": DECLARED_AGE,
        "isOverAge13": years >= 13,
        "isOverAge16": years >= 16,
        "isOverAge18": years >= 18,
    });
    serde_json::value::to_raw_value(&value).ok()
}

/// Year, month and day at the start of a date or datetime.
fn day(text: &str) -> Option<(i32, u32, u32)> {
    let mut parts = text.get(..10)?.split('-');
    let year = parts.next()?.parse().ok()?;
    let month = parts.next()?.parse().ok().filter(|month| (1..=12).contains(month))?;
    let day = parts.next()?.parse().ok().filter(|day| (1..=31).contains(day))?;
    Some((year, month, day))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_turn_on_the_birthday() {
        let ages = |born: &str| {
            // 2024-06-15
            let age = declared_age(&format!("{{\"birthDate\":\"{born}\"}}"), 1_718_409_600_000_000)?;
            let value: serde_json::Value = serde_json::from_str(age.get()).unwrap();
            Some((value["isOverAge13"] == true, value["isOverAge16"] == true, value["isOverAge18"] == true))
        };
        assert_eq!(ages("2006-06-15T00:00:00.000Z"), Some((true, true, true)));
        assert_eq!(ages("2006-06-16"), Some((true, true, false)));
        assert_eq!(ages("2011-07-01"), Some((false, false, false)));
        assert_eq!(ages("soon"), None);
        assert_eq!(ages("2011-13-01"), None);
    }
}
