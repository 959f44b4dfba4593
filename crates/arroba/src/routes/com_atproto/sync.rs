//! `com.atproto.sync.*`

mod get_blob;
mod get_blocks;
mod get_checkout;
mod get_head;
mod get_latest_commit;
mod get_record;
mod get_repo;
mod get_repo_status;
mod list_blobs;
mod list_repos;
mod subscribe_repos;

pub(in crate::routes) use self::get_blob::get_blob;
pub(in crate::routes) use self::get_blocks::get_blocks;
pub(in crate::routes) use self::get_checkout::get_checkout;
pub(in crate::routes) use self::get_head::get_head;
pub(in crate::routes) use self::get_latest_commit::get_latest_commit;
pub(in crate::routes) use self::get_record::get_record;
pub(in crate::routes) use self::get_repo::get_repo;
pub(in crate::routes) use self::get_repo_status::get_repo_status;
pub(in crate::routes) use self::list_blobs::list_blobs;
pub(in crate::routes) use self::list_repos::list_repos;
pub(in crate::routes) use self::subscribe_repos::subscribe_repos;
