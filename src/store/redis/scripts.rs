//! One Lua script for each transition: Redis runs a script alone, so state, decision and lifetime
//! change together or not at all (SEC-165). Every script touches one key.

use super::connections::Request;

/// A script, called by its hash.
pub(super) struct Script {
    hash: String,
    body: &'static str,
}

impl Script {
    fn new(body: &'static str) -> Self {
        Self { hash: redis::Script::new(body).get_hash().to_owned(), body }
    }

    /// A call about one key; arguments follow.
    pub(super) fn call(&self, key: impl Into<String>) -> Request {
        Request::script(&self.hash, self.body, key.into())
    }
}

/// A script with the helpers before it.
macro_rules! script {
    ($file:literal) => {
        Script::new(concat!(include_str!("common.lua"), include_str!($file)))
    };
}

/// A script about a person's grants.
macro_rules! grant_script {
    ($file:literal) => {
        Script::new(concat!(include_str!("common.lua"), include_str!("grants.lua"), include_str!($file)))
    };
}

/// A script about a person's browser sessions.
macro_rules! session_script {
    ($file:literal) => {
        Script::new(concat!(
            include_str!("common.lua"),
            include_str!("browser_sessions.lua"),
            include_str!($file)
        ))
    };
}

/// A script about a person's API keys.
macro_rules! api_key_script {
    ($file:literal) => {
        Script::new(concat!(include_str!("common.lua"), include_str!("api_keys.lua"), include_str!($file)))
    };
}

/// The scripts, hashed once.
pub(super) struct Scripts {
    pub(super) put: Script,
    pub(super) keep_client: Script,
    pub(super) adopt_client: Script,
    pub(super) update_client: Script,
    pub(super) forget_client: Script,
    pub(super) change_newcomer: Script,
    pub(super) forget_newcomer: Script,
    pub(super) take_of_window: Script,
    pub(super) use_assertion: Script,
    pub(super) release_assertion: Script,
    pub(super) advance_login: Script,
    pub(super) take_login: Script,
    pub(super) open_grant: Script,
    pub(super) redeem_code: Script,
    pub(super) rotate_refresh: Script,
    pub(super) end_grant: Script,
    pub(super) seal_anew: Script,
    pub(super) begin_browser_session: Script,
    pub(super) keep_browser_session: Script,
    pub(super) add_api_key: Script,
    pub(super) revoke_api_key: Script,
    pub(super) use_api_key: Script,
    pub(super) keep_upstream_grant: Script,
    pub(super) pin_admin: Script,
    pub(super) replace_key_ring: Script,
    pub(super) replace_record: Script,
    pub(super) await_approval: Script,
    pub(super) revoke: Script,
    pub(super) append_audit: Script,
}

impl Scripts {
    pub(super) fn new() -> Self {
        Self {
            put: script!("put.lua"),
            keep_client: script!("keep_client.lua"),
            adopt_client: script!("adopt_client.lua"),
            update_client: script!("update_client.lua"),
            forget_client: script!("forget_client.lua"),
            change_newcomer: script!("change_newcomer.lua"),
            forget_newcomer: script!("forget_newcomer.lua"),
            take_of_window: script!("take_of_window.lua"),
            use_assertion: script!("use_assertion.lua"),
            release_assertion: script!("release_assertion.lua"),
            advance_login: script!("advance_login.lua"),
            take_login: script!("take_login.lua"),
            open_grant: grant_script!("open_grant.lua"),
            redeem_code: grant_script!("redeem_code.lua"),
            rotate_refresh: grant_script!("rotate_refresh.lua"),
            end_grant: grant_script!("end_grant.lua"),
            seal_anew: grant_script!("seal_anew.lua"),
            begin_browser_session: session_script!("begin_browser_session.lua"),
            keep_browser_session: session_script!("keep_browser_session.lua"),
            add_api_key: api_key_script!("add_api_key.lua"),
            revoke_api_key: api_key_script!("revoke_api_key.lua"),
            use_api_key: api_key_script!("use_api_key.lua"),
            keep_upstream_grant: script!("keep_upstream_grant.lua"),
            pin_admin: script!("pin_admin.lua"),
            replace_key_ring: script!("replace_key_ring.lua"),
            replace_record: script!("replace_record.lua"),
            await_approval: script!("await_approval.lua"),
            revoke: script!("revoke.lua"),
            append_audit: script!("append_audit.lua"),
        }
    }
}
