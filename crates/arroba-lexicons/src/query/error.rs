//! What can be wrong with a query string.

use std::error::Error;

/// Why parameters were refused. Each names the parameter, so that the text can go to the client.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum QueryError {
    /// A required parameter is absent.
    #[error("parameter {name} is required")]
    Missing {
        /// The parameter.
        name: &'static str,
    },
    /// A parameter that holds one value was given more than once.
    #[error("parameter {name} must be given once")]
    Repeated {
        /// The parameter.
        name: &'static str,
    },
    /// The value is not in the parameter's format.
    #[error("parameter {name} is not valid: {source}")]
    Invalid {
        /// The parameter.
        name: &'static str,
        /// What the format's parser says.
        source: Box<dyn Error + Send + Sync>,
    },
    /// The value is not a decimal integer.
    #[error("parameter {name} must be an integer")]
    NotInteger {
        /// The parameter.
        name: &'static str,
    },
    /// The integer lies outside its bounds.
    #[error("parameter {name} must be between {minimum} and {maximum}")]
    OutOfBounds {
        /// The parameter.
        name: &'static str,
        /// The smallest value allowed.
        minimum: i64,
        /// The largest value allowed.
        maximum: i64,
    },
    /// The value is neither `true` nor `false`.
    #[error("parameter {name} must be true or false")]
    NotBoolean {
        /// The parameter.
        name: &'static str,
    },
    /// The text has more bytes than allowed.
    #[error("parameter {name} must not be longer than {maximum} bytes")]
    TooLong {
        /// The parameter.
        name: &'static str,
        /// The largest length allowed, in bytes of UTF-8.
        maximum: usize,
    },
    /// The query string does not decode to UTF-8.
    #[error("the query string is not valid UTF-8 once decoded")]
    NotUtf8,
}
