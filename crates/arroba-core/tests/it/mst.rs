//! Trees against published vectors, and against slow obvious twins.

mod model;
mod suite;
mod table;
mod vectors;
