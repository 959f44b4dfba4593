//! Firehose event bodies and frames.
