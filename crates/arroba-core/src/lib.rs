//! The AT Protocol without IO: identifiers, data model, repositories, Merkle search trees, verification.
