//! The extractors: from the `Authorization` header to a proof, or to the error that clients know.

use arroba_core::crypto::jwt::Token;
use arroba_core::scopes::{AccountAction, AccountAttribute, MediaType, Permission, Scopes};
use arroba_core::syntax::{AtIdentifier, Nsid};
use arroba_lexicons::QueryPairs;
use arroba_store::RepoStatus;
use arroba_xrpc::{ClientIp, RequestLimits, Result, XrpcError};
use axum::extract::{FromRef, FromRequestParts};
use http::header::CONTENT_TYPE;
use http::request::Parts;

use super::credentials::Credentials;
use super::{
    AccountAuth, AdminAuth, AnyAccountAuth, Authority, Caller, EndSessionAuth, FullAuth, ImportAuth,
    MaybeService, ProxyAuth, RefreshAuth, Repos, Session, UploadAuth, Viewer, WriteAuth,
};
use crate::rate_limits::ADMIN_TRIES;
use crate::session::{Access, invalid};

/// Makes a proof an extractor: `check` turns the request's parts and the authority into the proof.
macro_rules! proof {
    ($($proof:ident: $check:ident;)+) => {$(
        impl<S: Sync> FromRequestParts<S> for $proof
        where
            Authority: FromRef<S>,
        {
            type Rejection = XrpcError;

            async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self> {
                let authority = Authority::from_ref(state);
                $check(&authority, parts).await
            }
        }
    )+};
}

proof! {
    WriteAuth: write;
    UploadAuth: upload;
    ImportAuth: import;
    AccountAuth: account;
    AnyAccountAuth: any_account;
    FullAuth: full;
    RefreshAuth: refresh;
    EndSessionAuth: end_session;
    AdminAuth: admin;
    MaybeService: maybe_service;
    ProxyAuth: proxied;
    Viewer: viewer;
}

impl Authority {
    /// Who calls a method that writes records.
    pub(crate) async fn write(&self, parts: &Parts) -> Result<WriteAuth> {
        write(self, parts).await
    }
}

async fn write(authority: &Authority, parts: &Parts) -> Result<WriteAuth> {
    if let Some(caller) = authority.known(parts).await? {
        return Ok(WriteAuth { caller });
    }
    let AccountAuth { did, status, .. } = account(authority, parts).await?;
    not_taken_down(status)?;
    if status != RepoStatus::Active {
        return Err(XrpcError::unauthorized("AccountDeactivated", "Account is deactivated"));
    }
    Ok(WriteAuth { caller: Caller::owner(did) })
}

/// A service may upload in an account's name, which is how video services do it.
async fn upload(authority: &Authority, parts: &Parts) -> Result<UploadAuth> {
    let repo = named_repo(parts)?;
    if let Some(caller) = authority.known(parts).await? {
        caller.demand(&Permission::blob(media_type(parts)?))?;
        standing(authority, &caller).await?;
        return Ok(UploadAuth { caller, repo });
    }
    let token = bearer(parts)?;
    let session = match is_session(token) {
        true => standard(authority.sessions.account(token).await?)?,
        false => {
            let service = authority.sessions.service(token, &method(parts)?).await?;
            authority.sessions.hosted(service.issuer()).await?
        }
    };
    not_taken_down(session.status)?;
    Ok(UploadAuth { caller: Caller::owner(session.did), repo })
}

async fn import(authority: &Authority, parts: &Parts) -> Result<ImportAuth> {
    let repos = match authority.known(parts).await? {
        Some(caller) => {
            caller.demand(&Permission::account(AccountAttribute::Repo, AccountAction::Manage))?;
            standing(authority, &caller).await?;
            caller.repos
        }
        None => {
            let FullAuth { did, status } = full(authority, parts).await?;
            not_taken_down(status)?;
            Repos::One(did)
        }
    };
    if !authority.sessions.accepts_imports() {
        return Err(XrpcError::invalid_request("Service is not accepting repo imports"));
    }
    Ok(ImportAuth { repos })
}

/// The type of an upload, as it is declared.
fn media_type(parts: &Parts) -> Result<MediaType> {
    let declared = parts.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let essence = declared.unwrap_or("application/octet-stream").split(';').next().unwrap_or_default();
    MediaType::parse(essence.trim()).map_err(|_| XrpcError::invalid_request("Content-Type is no media type"))
}

/// The repo that an upload names; see [`UploadAuth`].
fn named_repo(parts: &Parts) -> Result<Option<AtIdentifier>> {
    let refused = || XrpcError::invalid_request("The parameter repo is one DID or handle");
    let pairs = QueryPairs::parse(parts.uri.query().unwrap_or_default())
        .map_err(|error| XrpcError::invalid_request(error.to_string()))?;
    let mut named = pairs.iter().filter(|(name, _)| *name == "repo").map(|(_, value)| value);
    match (named.next(), named.next()) {
        (None, _) => Ok(None),
        (Some(repo), None) => AtIdentifier::parse(repo).map(Some).map_err(|_| refused()),
        (Some(_), Some(_)) => Err(refused()),
    }
}

/// Demands of a caller with one account that the account is here and not taken down.
async fn standing(authority: &Authority, caller: &Caller) -> Result<()> {
    match caller.did() {
        Some(did) => not_taken_down(authority.sessions.hosted(did).await?.status),
        None => Ok(()),
    }
}

async fn account(authority: &Authority, parts: &Parts) -> Result<AccountAuth> {
    let Session { did, access, status } = standard(authority.sessions.account(bearer(parts)?).await?)?;
    Ok(AccountAuth { did, access, status })
}

async fn any_account(authority: &Authority, parts: &Parts) -> Result<AnyAccountAuth> {
    let Session { did, access, status } = authority.sessions.account(bearer(parts)?).await?;
    Ok(AnyAccountAuth { did, access, status })
}

/// A caller who stands for all accounts has no key to sign with.
async fn proxied(authority: &Authority, parts: &Parts) -> Result<ProxyAuth> {
    match authority.known(parts).await? {
        Some(Caller { repos: Repos::One(did), scopes, .. }) => {
            let status = authority.sessions.hosted(&did).await?.status;
            Ok(ProxyAuth { did, access: Access::Full, status, scopes })
        }
        Some(_) => Err(XrpcError::unauthorized(
            "AuthMissing",
            "Calling another service needs the credentials of one account, not of all",
        )),
        None => {
            let Session { did, access, status } = authority.sessions.account(bearer(parts)?).await?;
            Ok(ProxyAuth { did, access, status, scopes: Scopes::ALL })
        }
    }
}

async fn full(authority: &Authority, parts: &Parts) -> Result<FullAuth> {
    let Session { did, access, status } = authority.sessions.account(bearer(parts)?).await?;
    match access {
        Access::Full => Ok(FullAuth { did, status }),
        _ => Err(invalid("Bad token scope")),
    }
}

async fn refresh(authority: &Authority, parts: &Parts) -> Result<RefreshAuth> {
    let token = authority.sessions.refresh(bearer(parts)?, false).await?;
    Ok(RefreshAuth { token })
}

async fn end_session(authority: &Authority, parts: &Parts) -> Result<EndSessionAuth> {
    let token = authority.sessions.refresh(bearer(parts)?, true).await?;
    Ok(EndSessionAuth { token })
}

async fn admin(authority: &Authority, parts: &mut Parts) -> Result<AdminAuth> {
    match Credentials::of(&parts.headers)? {
        Credentials::Basic { user, password } => operator(authority, parts, &user, &password).await?,
        Credentials::None => return Err(missing()),
        Credentials::Bearer(_) => return Err(no_operator()),
    }
    Ok(AdminAuth(()))
}

/// Demands the operator's password. Wrong ones count for the address that they come from, and with too many of them no other is
/// looked at.
async fn operator(authority: &Authority, parts: &mut Parts, user: &str, password: &str) -> Result<()> {
    let Ok(limits) = RequestLimits::from_request_parts(parts, &()).await;
    let Ok(client) = ClientIp::from_request_parts(parts, &()).await;
    let address = client.0.to_string();
    limits.consume(&ADMIN_TRIES, &address, 0)?;
    if authority.sessions.is_admin(user, password) {
        return Ok(());
    }
    limits.consume(&ADMIN_TRIES, &address, 1)?;
    Err(no_operator())
}

fn no_operator() -> XrpcError {
    XrpcError::authentication_required("Authentication Required")
}

async fn maybe_service(authority: &Authority, parts: &Parts) -> Result<MaybeService> {
    match Credentials::of(&parts.headers)? {
        Credentials::None => Ok(MaybeService(None)),
        Credentials::Bearer(token) => {
            Ok(MaybeService(Some(authority.sessions.service(token, &method(parts)?).await?)))
        }
        Credentials::Basic { .. } => Err(invalid("Unexpected authorization type")),
    }
}

async fn viewer(authority: &Authority, parts: &mut Parts) -> Result<Viewer> {
    if !authority.sessions.exist() {
        return Ok(Viewer::Anyone);
    }
    match authority.known(parts).await?.map(|caller| caller.repos) {
        Some(Repos::All) => return Ok(Viewer::Admin),
        Some(Repos::One(did)) => return Ok(Viewer::Account(did)),
        None => {}
    }
    match Credentials::of(&parts.headers)? {
        Credentials::None => Ok(Viewer::Anyone),
        Credentials::Bearer(token) => Ok(Viewer::Account(authority.sessions.account(token).await?.did)),
        Credentials::Basic { user, password } => {
            operator(authority, parts, &user, &password).await?;
            Ok(Viewer::Admin)
        }
    }
}

fn bearer(parts: &Parts) -> Result<&str> {
    match Credentials::of(&parts.headers)? {
        Credentials::Bearer(token) => Ok(token),
        Credentials::None => Err(missing()),
        Credentials::Basic { .. } => Err(invalid("Unexpected authorization type")),
    }
}

fn missing() -> XrpcError {
    XrpcError::unauthorized("AuthMissing", "Authentication Required")
}

/// Every kind of login but the one that a taken-down account gets.
fn standard(session: Session) -> Result<Session> {
    match session.access {
        Access::Full | Access::AppPassPrivileged | Access::AppPass => Ok(session),
        Access::Takendown => Err(invalid("Bad token scope")),
    }
}

/// The error of an account that is taken down, where that matters.
pub(crate) fn not_taken_down(status: RepoStatus) -> Result<()> {
    match status {
        RepoStatus::Takendown | RepoStatus::Suspended => {
            Err(XrpcError::unauthorized("AccountTakedown", "Account has been taken down"))
        }
        _ => Ok(()),
    }
}

/// Whether a token claims to be of a session. Garbage counts as one: its error is the one that clients know.
fn is_session(token: &str) -> bool {
    let Ok(token) = Token::decode(token) else { return true };
    token.header().typ.as_deref().is_some_and(|typ| matches!(typ, "at+jwt" | "refresh+jwt"))
}

/// The method called, by the path.
fn method(parts: &Parts) -> Result<Nsid> {
    let name = parts.uri.path().strip_prefix("/xrpc/").unwrap_or_default();
    Nsid::parse(name).map_err(|_| XrpcError::invalid_request("invalid xrpc path"))
}
