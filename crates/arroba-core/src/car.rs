//! CAR files (content-addressed archives), version 1: reader and writer.
