//! The HTTP methods, one file each, and the one list of them.

mod app_bsky;
mod com_atproto;
mod embedded;
mod well_known;

use arroba_xrpc::{BodyLimit, RouterExt, Subscriptions};
use axum::Router;
use axum::extract::{FromRef, FromRequestParts};
use axum::routing::get;

use self::app_bsky::actor;
use self::com_atproto::{admin, identity, repo, server, sync};
pub use self::embedded::HostRoutes;
pub(crate) use self::well_known::service_document;
use crate::accounts::Logins;
use crate::auth::{AccountAuth, Authority, ImportAuth, UploadAuth, Viewer, WriteAuth};
use crate::host::HostLimits;
use crate::service::Service;

/// The largest JSON body of a method that writes records.
const WRITE_BYTES: u64 = 1_000_000;

/// The methods that read repos: for everybody, with more for an account's owner and the operator.
///
/// The state gives the service, the place for subscriptions, and what the extractor of the reader needs.
pub fn read<S>() -> Router<S>
where
    S: Clone + Send + Sync + 'static,
    Service: FromRef<S>,
    Subscriptions: FromRef<S>,
    Viewer: FromRequestParts<S>,
{
    add_read(Router::new())
}

/// The methods by which accounts write their repos.
///
/// The state gives the service, and what the extractors of authorization need.
pub fn write<S>(limits: &HostLimits) -> Router<S>
where
    S: Clone + Send + Sync + 'static,
    Service: FromRef<S>,
    WriteAuth: FromRequestParts<S>,
    UploadAuth: FromRequestParts<S>,
    ImportAuth: FromRequestParts<S>,
    AccountAuth: FromRequestParts<S>,
{
    add_write(Router::new(), limits)
}

/// [`read`], where routes can be added.
pub(crate) fn add_read<S, R>(router: R) -> R
where
    S: Clone + Send + Sync + 'static,
    R: RouterExt<S>,
    Service: FromRef<S>,
    Subscriptions: FromRef<S>,
    Viewer: FromRequestParts<S>,
{
    use arroba_lexicons::com_atproto::repo::{
        describe_repo::DescribeRepo, get_record::GetRecord, list_records::ListRecords,
    };
    use arroba_lexicons::com_atproto::sync::{
        get_blob::GetBlob, get_blocks::GetBlocks, get_checkout::GetCheckout, get_head::GetHead,
        get_latest_commit::GetLatestCommit, get_record::GetRecord as GetRecordProof, get_repo::GetRepo,
        get_repo_status::GetRepoStatus, list_blobs::ListBlobs, list_repos::ListRepos,
        subscribe_repos::SubscribeRepos,
    };
    router
        .endpoint::<DescribeRepo, _>(repo::describe_repo)
        .endpoint::<GetRecord, _>(repo::get_record)
        .endpoint::<ListRecords, _>(repo::list_records)
        .endpoint::<GetBlob, _>(sync::get_blob)
        .endpoint::<GetBlocks, _>(sync::get_blocks)
        .endpoint::<GetCheckout, _>(sync::get_checkout)
        .endpoint::<GetHead, _>(sync::get_head)
        .endpoint::<GetLatestCommit, _>(sync::get_latest_commit)
        .endpoint::<GetRecordProof, _>(sync::get_record)
        .endpoint::<GetRepo, _>(sync::get_repo)
        .endpoint::<GetRepoStatus, _>(sync::get_repo_status)
        .endpoint::<ListBlobs, _>(sync::list_blobs)
        .endpoint::<ListRepos, _>(sync::list_repos)
        .endpoint::<SubscribeRepos, _>(sync::subscribe_repos)
}

/// [`write`], where routes can be added.
pub(crate) fn add_write<S, R>(router: R, limits: &HostLimits) -> R
where
    S: Clone + Send + Sync + 'static,
    R: RouterExt<S>,
    Service: FromRef<S>,
    WriteAuth: FromRequestParts<S>,
    UploadAuth: FromRequestParts<S>,
    ImportAuth: FromRequestParts<S>,
    AccountAuth: FromRequestParts<S>,
{
    use arroba_lexicons::com_atproto::repo::{
        apply_writes::ApplyWrites, create_record::CreateRecord, delete_record::DeleteRecord,
        import_repo::ImportRepo, list_missing_blobs::ListMissingBlobs, put_record::PutRecord,
        upload_blob::UploadBlob,
    };
    let records = BodyLimit::bytes(WRITE_BYTES);
    router
        .endpoint_with::<ApplyWrites, _>(repo::apply_writes, records)
        .endpoint_with::<CreateRecord, _>(repo::create_record, records)
        .endpoint::<DeleteRecord, _>(repo::delete_record)
        .endpoint_with::<ImportRepo, _>(repo::import_repo, BodyLimit::bytes(limits.import_bytes))
        .endpoint::<ListMissingBlobs, _>(repo::list_missing_blobs)
        .endpoint_with::<PutRecord, _>(repo::put_record, records)
        .endpoint_with::<UploadBlob, _>(repo::upload_blob, BodyLimit::bytes(limits.blob_bytes))
}

/// The methods of accounts, where routes can be added.
pub(crate) fn add_accounts<S, R>(router: R) -> R
where
    S: Clone + Send + Sync + 'static,
    R: RouterExt<S>,
    Logins: FromRef<S>,
    Authority: FromRef<S>,
{
    use arroba_lexicons::app_bsky::actor::{
        get_preferences::GetPreferences, put_preferences::PutPreferences,
    };
    use arroba_lexicons::com_atproto::admin::{
        DeleteAccount, GetAccountInfo, GetSubjectStatus, UpdateSubjectStatus,
    };
    use arroba_lexicons::com_atproto::identity::{GetRecommendedDidCredentials, ResolveHandle, UpdateHandle};
    use arroba_lexicons::com_atproto::server::{
        ActivateAccount, CheckAccountStatus, CreateAccount, CreateInviteCode, CreateInviteCodes,
        CreateSession, DeactivateAccount, DeleteSession, DescribeServer, GetServiceAuth, GetSession,
        RefreshSession,
    };
    router
        .endpoint::<ActivateAccount, _>(server::activate_account)
        .endpoint::<CheckAccountStatus, _>(server::check_account_status)
        .endpoint::<CreateAccount, _>(server::create_account)
        .endpoint::<CreateInviteCode, _>(server::create_invite_code)
        .endpoint::<CreateInviteCodes, _>(server::create_invite_codes)
        .endpoint::<CreateSession, _>(server::create_session)
        .endpoint::<DeactivateAccount, _>(server::deactivate_account)
        .endpoint::<DeleteSession, _>(server::delete_session)
        .endpoint::<DescribeServer, _>(server::describe_server)
        .endpoint::<GetServiceAuth, _>(server::get_service_auth)
        .endpoint::<GetSession, _>(server::get_session)
        .endpoint::<RefreshSession, _>(server::refresh_session)
        .endpoint::<GetRecommendedDidCredentials, _>(identity::get_recommended_did_credentials)
        .endpoint::<ResolveHandle, _>(identity::resolve_handle)
        .endpoint::<UpdateHandle, _>(identity::update_handle)
        .endpoint::<DeleteAccount, _>(admin::delete_account)
        .endpoint::<GetAccountInfo, _>(admin::get_account_info)
        .endpoint::<GetSubjectStatus, _>(admin::get_subject_status)
        .endpoint::<UpdateSubjectStatus, _>(admin::update_subject_status)
        .endpoint::<GetPreferences, _>(actor::get_preferences)
        .endpoint_with::<PutPreferences, _>(actor::put_preferences, BodyLimit::bytes(WRITE_BYTES))
}

/// The routes outside of XRPC.
pub(crate) fn pages<S>() -> Router<S>
where
    S: Clone + Send + Sync + 'static,
    Logins: FromRef<S>,
{
    Router::new()
        .route("/", get(well_known::root))
        .route("/robots.txt", get(well_known::robots))
        .route("/xrpc/_health", get(well_known::health))
        .route("/tls-check", get(well_known::tls_check))
        .route("/.well-known/atproto-did", get(well_known::atproto_did))
        .route("/.well-known/did.json", get(well_known::did_json))
}
