//! The variables of this process, and the files that stand for some of them.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use super::python::FILES;

/// The variables of this process. For some of those that are not set, the file of the Python library in the working directory is read,
/// such as `repo_token` for `REPO_TOKEN`.
///
/// Variables that are no UTF-8 are left out.
///
/// # Errors
/// A file that is there and cannot be read.
pub fn environment() -> io::Result<impl Iterator<Item = (String, String)>> {
    let text = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
        Some((name.into_string().ok()?, value.into_string().ok()?))
    };
    let mut variables: BTreeMap<String, String> = std::env::vars_os().filter_map(text).collect();
    for (name, file) in FILES {
        if variables.get(*name).is_none_or(String::is_empty)
            && let Some(content) = read(Path::new(file))?
        {
            variables.insert((*name).to_owned(), content);
        }
    }
    Ok(variables.into_iter())
}

/// A variable of this process, else the content of a file without the white space around it; nothing if either is empty.
///
/// # Errors
/// A file that is there and cannot be read; a variable that is no UTF-8.
pub fn variable_or_file(name: &str, file: &Path) -> io::Result<Option<String>> {
    match std::env::var(name) {
        Ok(value) if !value.is_empty() => Ok(Some(value)),
        Ok(_) | Err(std::env::VarError::NotPresent) => read(file),
        Err(error) => Err(io::Error::new(io::ErrorKind::InvalidData, format!("{name}: {error}"))),
    }
}

fn read(file: &Path) -> io::Result<Option<String>> {
    match std::fs::read_to_string(file) {
        Ok(text) => Ok(Some(text.trim().to_owned()).filter(|text| !text.is_empty())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(io::Error::new(error.kind(), format!("{}: {error}", file.display()))),
    }
}
