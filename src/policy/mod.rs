//! Who may do what: identity and resource in, scopes and the reasons out. Pure.
//!
//! - `admission`: whom an identity provider may bring at all.
//! - `rule`: one rule and when it applies.
//! - `scope`: all rules together: the [`Verdict`]. This is where a scope is decided.
//!
//! The short form of the configuration (`allowed_domains`, `default_scopes`, `admin_users`,
//! `admin_scopes`) and its `rules` become one list of the same [`Rule`] here.

mod admission;
mod rule;
mod scope;

pub use admission::{Admission, Membership};
pub use rule::{Conditions, Rule};
pub use scope::{Policy, RuleOutcome, Verdict};
