//! Integration tests of the lexicons crate: one binary, one module an area.

#[cfg(test)]
mod it {
    mod hostile;
    mod methods;
    mod records;
    mod sample;
}
