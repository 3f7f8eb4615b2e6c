//! Refresh tokens: each serves once, and one that is used twice ends all that came from its sign-in.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use gatelodge::secret::random;
use serde_json::{Value, json};

use super::{Person, Shared, TestProvider, TokenAnswer, tokens};

/// What the provider knows of its refresh tokens and their people.
#[derive(Debug, Default)]
pub(super) struct Refresh {
    pub(super) is_offered: bool,
    /// By subject: what is said of them now.
    changed: HashMap<String, Person>,
    disabled: BTreeSet<String>,
    tokens: HashMap<String, RefreshToken>,
    /// Sign-ins whose tokens are dead.
    stolen: BTreeSet<usize>,
    sign_ins: usize,
}

#[derive(Debug)]
struct RefreshToken {
    person: Person,
    sign_in: usize,
    is_used: bool,
}

impl TestProvider {
    /// From now on it gives refresh tokens to those who ask, and says so in its metadata; or no longer.
    pub(crate) fn offer_refresh(&self, is_offered: bool) {
        self.shared.state().refresh.is_offered = is_offered;
    }

    /// From now on this is said of the person of this subject.
    pub(crate) fn change(&self, person: Person) {
        self.shared.state().refresh.changed.insert(person.sub.clone(), person);
    }

    /// The account is disabled: it gets no tokens any more, or gets them again.
    pub(crate) fn disable(&self, sub: &str, is_disabled: bool) {
        let disabled = &mut self.shared.state().refresh.disabled;
        if is_disabled {
            disabled.insert(sub.to_owned())
        } else {
            disabled.remove(sub)
        };
    }

    /// The newest sign-in's tokens are taken back; the account lives on.
    pub(crate) fn end_newest_sign_in(&self) {
        let refresh = &mut self.shared.state().refresh;
        let newest = refresh.sign_ins;
        refresh.tokens.retain(|_, token| token.sign_in != newest);
    }

    /// The refresh tokens that it was sent so far.
    pub(crate) fn refreshed(&self) -> Vec<String> {
        let requests = self.token_requests();
        let sent = requests.iter().filter(|request| request.form["grant_type"] == "refresh_token");
        sent.map(|request| request.form["refresh_token"].clone()).collect()
    }

    /// How often a refresh token was used twice.
    pub(crate) fn thefts(&self) -> usize {
        self.shared.state().refresh.stolen.len()
    }
}

impl Refresh {
    /// A token for the first time, of a sign-in.
    pub(super) fn begin(&mut self, person: Person) -> String {
        self.sign_ins += 1;
        let sign_in = self.sign_ins;
        self.issue(person, sign_in)
    }

    fn issue(&mut self, person: Person, sign_in: usize) -> String {
        let token = format!("upstream-refresh-{}", random::token());
        self.tokens.insert(token.clone(), RefreshToken { person, sign_in, is_used: false });
        token
    }

    /// The person behind a token, and the next token. None: refused.
    fn rotate(&mut self, token: &str) -> Option<(Person, String)> {
        let known = self.tokens.get_mut(token)?;
        let (sign_in, is_theft) = (known.sign_in, known.is_used);
        known.is_used = true;
        let person = known.person.clone();
        if is_theft {
            self.stolen.insert(sign_in);
        }
        if self.stolen.contains(&sign_in) || self.disabled.contains(&person.sub) {
            return None;
        }
        let person = self.now(person);
        let next = self.issue(person.clone(), sign_in);
        Some((person, next))
    }

    /// What is said of a person now.
    pub(super) fn now(&self, person: Person) -> Person {
        self.changed.get(&person.sub).cloned().unwrap_or(person)
    }

    pub(super) fn is_disabled(&self, sub: &str) -> bool {
        self.disabled.contains(sub)
    }
}

/// Answers the grant; None: refused.
pub(super) fn answer(
    shared: &Shared,
    form: &BTreeMap<String, String>,
    answer: &TokenAnswer,
) -> Option<Value> {
    let mut state = shared.state();
    let (person, next) = state.refresh.rotate(form.get("refresh_token")?)?;
    let access_token = format!("upstream-access-{}", random::token());
    let mut body = json!({
        "access_token": access_token, "token_type": "Bearer", "expires_in": 300, "refresh_token": next
    });
    if *answer != TokenAnswer::NoIdToken {
        body["id_token"] = json!(tokens::id_token(shared, &state, &person, None, &access_token));
    }
    state.given_out.extend([next, access_token.clone()]);
    state.sign_ins.insert(access_token, person);
    Some(body)
}
