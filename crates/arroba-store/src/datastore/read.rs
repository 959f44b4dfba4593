//! Reading repositories: everything follows from the head's commit, so what is read belongs together without a transaction or a
//! snapshot, however long it takes. One lookup a level of the tree, one for the records.

mod collections;
mod export;
mod range;
mod records;
mod scan;
mod since;
mod subtree;
#[cfg(all(test, feature = "conformance"))]
mod tests;
mod these;
mod tree;
mod window;

pub(crate) use collections::collections;
pub(crate) use export::blocks;
pub(crate) use records::records;
pub(crate) use scan::{Size, size};
pub(crate) use tree::load;
