//! Who may do what: identity, client and resource in, scopes and the reasons out. Pure.
//!
//! - `admission`: whom an identity provider may bring at all.
//! - `rule`: does one rule apply, and why (not)?
//! - `hierarchy`: which scopes imply which.
//! - `scope`: all rules together: the [`Verdict`]. This is where a scope is decided.
//!
//! The short form of the configuration (`allowed_domains`, `default_scopes`, `admin_users`,
//! `admin_scopes`) and its `rules` are one list of the same [`Rule`](crate::domain::Rule) here.

mod admission;
mod hierarchy;
mod rule;
mod scope;
#[cfg(test)]
mod tests;

pub use admission::{Admission, Membership};
pub use hierarchy::Hierarchy;
pub use scope::{Asked, Policy, RuleOutcome, Verdict};
