//! `com.atproto.repo.*`: records and blobs of one repo.

pub mod apply_writes;
pub mod create_record;
mod defs;
pub mod delete_record;
pub mod describe_repo;
pub mod get_record;
pub mod import_repo;
pub mod list_missing_blobs;
pub mod list_records;
pub mod put_record;
pub mod upload_blob;

pub use apply_writes::ApplyWrites;
pub use create_record::CreateRecord;
pub use defs::{CommitMeta, StrongRef};
pub use delete_record::DeleteRecord;
pub use describe_repo::DescribeRepo;
pub use get_record::GetRecord;
pub use import_repo::ImportRepo;
pub use list_missing_blobs::ListMissingBlobs;
pub use list_records::ListRecords;
pub use put_record::PutRecord;
pub use upload_blob::UploadBlob;
