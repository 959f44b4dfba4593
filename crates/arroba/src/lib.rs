//! AT Protocol repositories and a Personal Data Server as a library.
