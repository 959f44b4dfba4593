//! Trees against published vectors, and against slow obvious twins.

mod model;
mod table;
mod vectors;
