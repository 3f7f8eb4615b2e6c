//! GitHub: who a token belongs to, from the API, as one document that is read like an ID token.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::protocol::Members;

use super::api::{Api, ApiFault, Listed};
use super::facts::GroupList;

/// Items of a page; the API's own limit.
const PAGE: usize = 100;

/// What the API says of the token's person.
pub(super) struct Profile {
    /// `sub` is the numeric id: a login can be renamed, and taken by somebody else.
    pub(super) id: String,
    pub(super) document: Members,
    pub(super) groups: GroupList,
}

/// Asks the API. `admitted` are the organisations whose names may become groups: anybody can found
/// an organisation of any other name.
pub(super) async fn profile(api: Api<'_>, base: &str, admitted: &[String]) -> Result<Profile, ApiFault> {
    let [user, emails] = ["user", "user/emails"].map(|path| format!("{base}/{path}"));
    let (user, emails, organizations, teams) = tokio::try_join!(
        api.get(&user, "GitHub's user"),
        api.get(&emails, "GitHub's emails"),
        list(api, base, "user/orgs"),
        list(api, base, "user/teams"),
    )?;
    let id = user.get("id").and_then(Value::as_u64);
    let id = id.ok_or_else(|| ApiFault::Unavailable("GitHub's user has no numeric id".into()))?.to_string();

    let is_admitted = |organization: &Names| organization.both().iter().any(|name| admitted.contains(name));
    let mut groups = BTreeSet::new();
    let mut memberships = BTreeSet::new();
    for organization in organizations.items.iter().filter_map(Names::of) {
        memberships.extend(organization.both());
        if is_admitted(&organization) {
            groups.insert(organization.login);
        }
    }
    let mut team_ids = BTreeSet::new();
    for team in &teams.items {
        let of = team.get("organization").and_then(Names::of).filter(|of| is_admitted(of));
        let slug = team.get("slug").and_then(Value::as_str);
        if let (Some(of), Some(slug)) = (of, slug) {
            groups.insert(format!("{}/{slug}", of.login));
            team_ids.extend(team.get("id").and_then(Value::as_u64));
        }
    }
    let document = json!({
        "sub": id, "login": user.get("login"), "name": user.get("name"),
        "email": primary_email(&emails), "email_verified": true,
        "organizations": memberships, "team_ids": team_ids
    });
    let document = serde_json::from_value(document).unwrap_or_default();
    let groups = GroupList { names: groups, is_whole: organizations.is_whole && teams.is_whole };
    Ok(Profile { id, document, groups })
}

/// An organisation by its login and by its id, which stays when the login goes to somebody else.
struct Names {
    login: String,
    id: String,
}

impl Names {
    fn of(organization: &Value) -> Option<Self> {
        let login = organization.get("login")?.as_str()?.to_owned();
        Some(Self { login, id: format!("id:{}", organization.get("id")?.as_u64()?) })
    }

    fn both(&self) -> [String; 2] {
        [self.login.clone(), self.id.clone()]
    }
}

/// The address that is primary and verified. The profile shows whatever its owner wrote.
fn primary_email(emails: &Value) -> Option<&str> {
    let holds = |email: &&Value, flag| email.get(flag) == Some(&Value::Bool(true));
    let found = emails.as_array()?.iter().find(|email| holds(email, "primary") && holds(email, "verified"));
    found?.get("email")?.as_str()
}

async fn list(api: Api<'_>, base: &str, path: &str) -> Result<Listed, ApiFault> {
    let url = |page: usize| format!("{base}/{path}?per_page={PAGE}&page={page}");
    let what = format!("GitHub's {path}");
    let listed = api.list(url(1), &what, |page, answer| {
        let items = answer.as_array()?.clone();
        let next = (items.len() >= PAGE).then(|| url(page + 1));
        Some((items, next))
    });
    listed.await
}
