//! One suite for every store: what a case asks of one, it asks of all.
//!
//! - `backend`: the stores under test.
//! - `clients`, `logins`, `codes`, `families`, `keys`, `misc`: cases over any `Store`, races included.
//! - `api_keys`: API keys.
//! - `client_book`: what the operator says about clients.
//! - `people`: all the grants of one person; `pins`: whose an admin's address is.
//! - `browser_sessions`: who is signed in in which browser, and what was approved there.
//! - `upstream_grants`: what upstreams have said of people.
//! - `revocations`: the end of much at once.
//! - `model`: random operations (`steps`) against maps and the domain's transitions (`reference`).
//! - `later_release`: records with members that this release does not know.
//! - `full_disk`: the embedded store where there is no room.
//! - `first_use`: what comes in between while a client is used for the first time.
//! - `embedded`, `redis`: what only one of them has (a file; sealed fields that could be swapped).

mod api_keys;
mod backend;
mod browser_sessions;
mod client_book;
mod clients;
mod codes;
mod embedded;
mod families;
mod first_use;
mod full_disk;
mod keys;
mod later_release;
mod logins;
mod misc;
mod model;
mod people;
mod pins;
mod rate_windows;
mod redis;
mod reference;
mod revocations;
mod steps;
mod upstream_grants;

use backend::Backend;

/// Runs each case on each backend, as a test of the case's name in a module of the backend's.
macro_rules! on_every_backend {
    ([$($module:ident: $backend:ident),+ $(,)?] $cases:tt) => {
        $(on_backend! { $module $backend $cases })+
    };
}

macro_rules! on_backend {
    ($module:ident $backend:ident { $($room:ident::$case:ident),+ $(,)? }) => {
        mod $module {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() {
                if let Some(backend) = super::Backend::$backend().await {
                    super::$room::$case(backend.store()).await;
                }
            })+
        }
    };
}

on_every_backend! {
    [
        on_memory: memory,
        on_file: file,
        on_redis: redis,
        on_redis_tls: redis_tls,
        on_redis_sentinel: redis_sentinel,
        on_redis_cluster: redis_cluster,
    ]
    {
        clients::a_client_comes_back_as_it_was_until_it_expires,
        clients::keeping_a_client_never_shortens_its_life,
        clients::sec_113_a_store_says_who_is_used,
        clients::the_oldest_unused_client_makes_room,
        clients::the_bound_on_unused_clients_holds_in_a_race,
        clients::a_first_use_races_with_the_next_at_its_place,
        clients::who_was_displaced_is_nobody,
        clients::without_a_place_nobody_makes_room,
        clients::a_first_use_races_with_changes,
        clients::a_first_use_races_with_a_client_that_takes_itself_back,
        clients::an_updated_client_lives_as_long_as_before,
        clients::a_forgotten_client_is_gone,
        clients::one_of_many_uses_an_assertion,
        clients::only_its_own_use_is_released,
        clients::hostile_client_ids_do_not_meet,
        client_book::a_client_by_command_stays_until_it_is_removed,
        client_book::one_of_many_changes_a_client_by_command,
        client_book::an_application_waits_for_its_time,
        client_book::applications_are_bounded,
        client_book::a_decision_stays,
        logins::a_login_is_over_at_its_end,
        logins::one_of_many_advances_a_login,
        logins::an_expired_login_does_not_advance,
        logins::one_of_many_takes_a_login,
        codes::a_grant_comes_back_as_it_was,
        codes::one_of_many_redeems_a_code,
        codes::a_code_is_gone_at_its_end,
        codes::a_replay_is_told_apart_after_redemption,
        codes::the_idle_end_never_passes_the_grants_end,
        people::a_persons_grants_are_listed,
        people::an_upstreams_session_leads_to_its_person,
        people::one_grant_too_many_ends_the_first_to_end,
        families::parallel_rotations_have_one_successor,
        families::a_late_duplicate_ends_the_family,
        families::a_token_two_generations_old_ends_the_family_within_grace,
        families::without_grace_every_duplicate_is_reuse,
        families::a_token_from_ahead_heals_a_rollback,
        families::grace_does_not_outlive_the_grant,
        families::an_idle_family_is_gone_and_use_keeps_it,
        families::a_family_before_its_code_is_redeemed_is_gone,
        families::an_ended_grant_is_gone,
        browser_sessions::a_browser_session_comes_back_until_it_is_over,
        browser_sessions::use_keeps_a_browser_session_up_to_its_end,
        browser_sessions::ended_browser_sessions_are_gone,
        browser_sessions::a_persons_browser_sessions_are_listed,
        browser_sessions::one_browser_session_too_many_ends_the_first_to_end,
        browser_sessions::parallel_browser_sessions_all_stay,
        browser_sessions::a_consent_comes_back_until_its_end,
        browser_sessions::opening_a_grant_twice_opens_it_once,
        upstream_grants::one_comes_back_as_it_was_until_it_is_over,
        upstream_grants::each_person_and_upstream_has_one_of_their_own,
        upstream_grants::one_of_many_claims,
        upstream_grants::a_sign_in_goes_over_whatever_is_there,
        api_keys::sec_148_a_key_comes_back_as_it_was,
        api_keys::a_persons_keys_are_listed,
        api_keys::sec_150_a_revoked_key_stays_revoked,
        api_keys::a_use_is_noted_once_a_minute,
        api_keys::keys_are_bounded,
        pins::one_of_many_gets_an_address,
        pins::a_pin_stays_until_it_is_taken_out,
        rate_windows::a_window_gives_what_it_has_and_no_more,
        rate_windows::a_window_ends,
        keys::replicas_agree_on_one_key_ring,
        keys::one_of_many_rotates_the_key_ring,
        keys::a_key_ring_comes_back_as_it_was,
        revocations::sec_132_moments_are_kept_and_never_move_back,
        revocations::old_revocations_are_forgotten,
        revocations::sec_066_memory_is_revoked_alone,
        revocations::sec_134_a_late_answer_brings_nothing_back,
        revocations::parallel_revocations_all_stay,
        revocations::sec_134_a_replica_knows_within_a_second,
        misc::audit_events_come_back_newest_first,
        misc::the_audit_stream_is_capped,
        misc::ping_answers,
        misc::a_faulty_store_fails_what_it_was_told,
    }
}
