//! The rate limits of the reference server, by name.

use arroba_xrpc::RateLimit;

const MINUTES_5: u64 = 5 * 60;
const HOUR: u64 = 60 * 60;
const DAY: u64 = 24 * HOUR;

/// All methods but getRepo, by address.
pub(crate) const GLOBAL: RateLimit = RateLimit::new("global-ip", 3000, MINUTES_5);
/// Exports, by address.
pub(crate) const GET_REPO: [RateLimit; 1] = [RateLimit::new("getRepo", 6000, MINUTES_5)];
/// Record writes, by account; see [`CREATE_POINTS`].
pub(crate) const WRITES: [RateLimit; 2] =
    [RateLimit::new("repo-write-hour", 5000, HOUR), RateLimit::new("repo-write-day", 35_000, DAY)];
/// Points of a created record.
pub(crate) const CREATE_POINTS: u32 = 3;
/// Points of an updated record.
pub(crate) const UPDATE_POINTS: u32 = 2;
/// Points of a deleted record.
pub(crate) const DELETE_POINTS: u32 = 1;
/// New accounts, by address.
pub(crate) const CREATE_ACCOUNT: [RateLimit; 1] = [RateLimit::new("createAccount", 100, MINUTES_5)];
/// Logins, by identifier and address.
pub(crate) const CREATE_SESSION: [RateLimit; 2] =
    [RateLimit::new("createSession", 30, MINUTES_5), RateLimit::new("createSession-day", 300, DAY)];
/// Wrong passwords of the operator, by address.
pub(crate) const ADMIN_TRIES: [RateLimit; 1] = [RateLimit::new("admin-tries", 30, MINUTES_5)];
/// Changes of handle, by account.
pub(crate) const UPDATE_HANDLE: [RateLimit; 2] =
    [RateLimit::new("updateHandle", 10, MINUTES_5), RateLimit::new("updateHandle-day", 50, DAY)];
/// Uploads, by address.
pub(crate) const UPLOAD_BLOB: [RateLimit; 1] = [RateLimit::new("uploadBlob", 1000, DAY)];
