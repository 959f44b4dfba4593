//! `com.atproto.repo.*`

mod apply_writes;
mod create_record;
mod delete_record;
mod describe_repo;
mod get_record;
mod import_repo;
mod list_missing_blobs;
mod list_records;
mod put_record;
mod upload_blob;

pub(in crate::routes) use self::apply_writes::apply_writes;
pub(in crate::routes) use self::create_record::create_record;
pub(in crate::routes) use self::delete_record::delete_record;
pub(in crate::routes) use self::describe_repo::describe_repo;
pub(in crate::routes) use self::get_record::get_record;
pub(in crate::routes) use self::import_repo::import_repo;
pub(in crate::routes) use self::list_missing_blobs::list_missing_blobs;
pub(in crate::routes) use self::list_records::list_records;
pub(in crate::routes) use self::put_record::put_record;
pub(in crate::routes) use self::upload_blob::upload_blob;
