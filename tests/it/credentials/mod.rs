//! What a request to a protected server may carry, one file per kind: good, expired, for another server,
//! revoked and malformed.

mod api_keys;
mod static_tokens;
