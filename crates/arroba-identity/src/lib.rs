//! DIDs, handles and the PLC directory.

pub mod plc;
