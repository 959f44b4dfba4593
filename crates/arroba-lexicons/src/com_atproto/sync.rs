//! `com.atproto.sync.*`: public reads, exports and the firehose.

pub mod get_blob;
pub mod get_blocks;
pub mod get_checkout;
pub mod get_head;
pub mod get_latest_commit;
pub mod get_record;
pub mod get_repo;
pub mod get_repo_status;
pub mod list_blobs;
pub mod list_repos;
pub mod request_crawl;
pub mod subscribe_repos;

pub use get_blob::GetBlob;
pub use get_blocks::GetBlocks;
pub use get_checkout::GetCheckout;
pub use get_head::GetHead;
pub use get_latest_commit::GetLatestCommit;
pub use get_record::GetRecord;
pub use get_repo::GetRepo;
pub use get_repo_status::GetRepoStatus;
pub use list_blobs::ListBlobs;
pub use list_repos::ListRepos;
pub use request_crawl::RequestCrawl;
pub use subscribe_repos::SubscribeRepos;
