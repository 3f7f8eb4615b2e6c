//! `--person`, or `--issuer` with `--subject`: how a command names a person.

use crate::domain::PersonId;

/// Whether one has to be named, and instead of what, says the command.
#[derive(Debug, clap::Args)]
pub(super) struct Whose {
    /// This person: `person` in the audit log, the `sub` of their tokens.
    #[arg(long, value_name = "p_…", value_parser = person)]
    person: Option<PersonId>,
    /// The person whom this identity provider calls --subject.
    #[arg(long, value_name = "URL", requires = "subject")]
    issuer: Option<String>,
    /// The person's `sub` at --issuer.
    #[arg(long, value_name = "SUBJECT", requires = "issuer")]
    subject: Option<String>,
}

impl Whose {
    /// The person, if one was named.
    pub(super) fn person(&self) -> Option<PersonId> {
        let named = self.issuer.as_ref().zip(self.subject.as_ref());
        self.person.clone().or_else(|| named.map(|(issuer, subject)| PersonId::of(issuer, subject)))
    }
}

fn person(text: &str) -> Result<PersonId, &'static str> {
    PersonId::parse(text).ok_or("a person's identifier is p_ and 43 characters")
}
