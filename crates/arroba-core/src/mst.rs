//! Merkle search trees.
