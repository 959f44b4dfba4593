//! DIDs, handles and the PLC directory.
