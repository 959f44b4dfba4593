//! Trees against published vectors, and against slow obvious twins.

mod codec;
mod limits;
mod mine;
mod model;
mod shapes;
mod suite;
pub(crate) mod table;
mod twins;
mod vectors;
