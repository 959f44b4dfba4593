//! `com.atproto.identity.*`: handles and DIDs.

pub mod get_recommended_did_credentials;
pub mod resolve_handle;
pub mod update_handle;

pub use get_recommended_did_credentials::GetRecommendedDidCredentials;
pub use resolve_handle::ResolveHandle;
pub use update_handle::UpdateHandle;
