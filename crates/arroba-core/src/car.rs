//! CAR files (content-addressed archives), version 1: reader and writer.
//!
//! A file is a header with its roots and then blocks in any order, each after its CID. The reader checks every
//! block against its CID and holds no more than one block at a time.
//!
//! ```
//! use arroba_core::{car::{Limits, Reader, Writer}, data::Cid};
//! let cid = Cid::for_cbor(&[0xa0]);
//! let mut writer = Writer::new(&[cid]);
//! writer.block(&cid, &[0xa0]);
//! let mut reader = Reader::new(Limits::REPOSITORY);
//! for piece in writer.finish().chunks(10) {
//!     reader.push(piece);
//!     for block in reader.by_ref() {
//!         assert_eq!(block?.cid, cid);
//!     }
//! }
//! reader.finish()?;
//! # Ok::<(), arroba_core::car::CarError>(())
//! ```
//!
//! Spec: <https://atproto.com/specs/repository#car-file-serialization>, <https://ipld.io/specs/transport/car/carv1/>

mod reader;
mod writer;

pub use reader::{Block, Car, Limits, Reader, read_all};
pub use writer::{Writer, header_length, section_length};

use thiserror::Error;

use crate::data::cbor::CborError;
use crate::data::{Cid, CidError};

/// The media type of CAR files.
pub const MEDIA_TYPE: &str = "application/vnd.ipld.car";

/// Why bytes are not an acceptable CAR file.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum CarError {
    /// The file ends within the header or a block.
    #[error("car file ends early")]
    Truncated,
    /// A length is not a varint in its shortest form, or beyond 63 bits.
    #[error("malformed length in car file")]
    Varint,
    /// The header is malformed.
    #[error("malformed car header")]
    Header(#[source] CborError),
    /// The header is larger than its roots could make it.
    #[error("car header too large")]
    HeaderTooLarge,
    /// The version is not 1.
    #[error("car version {0}")]
    Version(u64),
    /// There are more roots than allowed.
    #[error("more than {0} roots in car file")]
    TooManyRoots(usize),
    /// A block has a CID that is not one of version 1 with SHA-256 and the codec DAG-CBOR or raw.
    #[error("unsupported cid in car file")]
    Cid(#[source] CidError),
    /// A block does not hash to its CID.
    #[error("block does not hash to its cid {0}")]
    Hash(Cid),
    /// A block is larger than allowed.
    #[error("block larger than {0} bytes in car file")]
    BlockTooLarge(usize),
    /// There are more blocks than allowed.
    #[error("more than {0} blocks in car file")]
    TooManyBlocks(u64),
    /// The file is larger than allowed.
    #[error("car file larger than {0} bytes")]
    TooLarge(u64),
}
