//! What is wrong with a configuration, said so that it can be mended.

use std::fmt;

use super::text::Spot;

/// One fault. No part of it ever holds a secret or a value from the environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The line, from 1.
    pub line: u32,
    /// The column, from 1.
    pub column: u32,
    /// The setting, such as `upstreams[0].client_secret`; empty for the file as a whole.
    pub path: String,
    /// What is wrong.
    pub problem: String,
    /// What to write instead.
    pub instead: String,
}

/// Everything that is wrong with one file, in the order of its lines; never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Faults {
    /// The file, as it was named.
    pub file: String,
    /// The faults.
    pub list: Vec<Fault>,
}

impl Faults {
    pub(super) fn new(file: &str, mut list: Vec<Fault>) -> Self {
        list.sort_by(|a, b| (a.line, a.column, &a.path).cmp(&(b.line, b.column, &b.path)));
        list.dedup();
        Self { file: file.to_owned(), list }
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, fault) in self.list.iter().enumerate() {
            if i > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{}:{}:{}: ", self.file, fault.line, fault.column)?;
            if !fault.path.is_empty() {
                write!(f, "{}: ", fault.path)?;
            }
            f.write_str(&fault.problem)?;
            if !fault.instead.is_empty() {
                write!(f, "\n    {}", fault.instead)?;
            }
        }
        Ok(())
    }
}

impl std::error::Error for Faults {}

/// A setting's path together with its place in the file.
#[derive(Debug, Clone)]
pub(super) struct Place {
    pub(super) path: String,
    pub(super) spot: Spot,
}

impl Place {
    /// The file as a whole.
    pub(super) fn root() -> Self {
        Self { path: String::new(), spot: Spot::START }
    }

    /// A key in here.
    pub(super) fn key(&self, key: &str, spot: Spot) -> Self {
        let dot = if self.path.is_empty() { "" } else { "." };
        Self { path: format!("{}{dot}{key}", self.path), spot }
    }

    /// An item of the list that stands here.
    pub(super) fn item(&self, index: usize, spot: Spot) -> Self {
        Self { path: format!("{}[{index}]", self.path), spot }
    }

    /// A fault here.
    pub(super) fn fault(&self, problem: impl Into<String>, instead: impl Into<String>) -> Fault {
        Fault {
            line: self.spot.line,
            column: self.spot.column,
            path: self.path.clone(),
            problem: problem.into(),
            instead: instead.into(),
        }
    }
}
